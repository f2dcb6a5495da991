const OBSERVED = ['class', 'style', 'data-jp-theme-name', 'data-jp-theme-light', 'data-vscode-theme-kind'];

/** Call `changed` after the page's colours have changed; returns what ends this. */
export function onThemeChange(changed: () => void): () => void {
  let frame = 0;
  const later = (): void => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(changed);
  };
  const observer = new MutationObserver(later);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter: OBSERVED });
  }
  const scheme = window.matchMedia('(prefers-color-scheme: dark)');
  scheme.addEventListener('change', later);
  return () => {
    cancelAnimationFrame(frame);
    observer.disconnect();
    scheme.removeEventListener('change', later);
  };
}
