import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// The content security policy allows no inline script, style or data: script,
// so nothing may be inlined: the preload polyfill would be an inline script and
// small assets would become data: URLs.
export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: { '/api': 'http://127.0.0.1:8000' },
  },
  test: {
    include: ['src/**/*.test.ts'],
    environment: 'node',
  },
});
