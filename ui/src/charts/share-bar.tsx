/** A bar whose filled part is a share of 0–1. The number always stands beside it as text. */
export function ShareBar({ share, tone }: { share: number; tone: string }) {
  const width = Math.min(1, Math.max(0, share)) * 100;
  return (
    <svg
      className={`share-bar tone-${tone}`}
      viewBox="0 0 100 6"
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <rect className="share-bar-track" width="100" height="6" />
      <rect className="share-bar-fill" width={width} height="6" />
    </svg>
  );
}
