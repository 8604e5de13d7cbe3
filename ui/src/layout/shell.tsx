import { type ReactNode, useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { HealthChip, HealthStrip } from './health-strip.tsx';
import { DESTINATIONS, isWithin } from './navigation.ts';

/** The frame around every page: skip link, navigation, state of the server. */
export function Shell({ children }: { children: ReactNode }) {
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  const shownPath = useRef(path);

  // A new page starts at its top, for the eye and for the keyboard alike. The
  // first page keeps the browser's own focus, or the skip link would be skipped.
  useEffect(() => {
    if (shownPath.current === path) return;
    shownPath.current = path;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path]);

  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <header className="sidebar">
        <Link href="/" className="brand" aria-label="Tripline, overview">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          <span>Tripline</span>
        </Link>
        <nav aria-label="Main">
          <ul>
            {DESTINATIONS.map(({ href, name, icon }) => (
              <li key={href}>
                <Link href={href} aria-current={isWithin(path, href) ? 'page' : undefined}>
                  <svg viewBox="0 0 20 20" aria-hidden="true" focusable="false">
                    <path d={icon} />
                  </svg>
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <HealthChip />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <HealthStrip />
        {children}
      </main>
    </div>
  );
}
