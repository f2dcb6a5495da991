// HTML of somebody whom nobody has said to trust: its scripts run, and reach nothing of the page.
import { element } from './dom.ts';

/** Pixels before anything is known of the content, and at most; what is higher scrolls. */
const FIRST = 240;
const LARGEST = 4000;
const HEIGHT = 'mlwidgets:height';

/** Says how high the content is, whenever that changes. */
const TELL = `<script>new ResizeObserver(() => parent.postMessage({ type: '${HEIGHT}', height: Math.ceil(document.documentElement.getBoundingClientRect().height) }, '*')).observe(document.documentElement)</script>`;

/** As JupyterLab has tables and texts in its outputs. */
const LOOK = `body { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: 12px; }
td, th { padding: 0.5em; text-align: right; border: none; }
th { font-weight: bold; }
thead { border-bottom: 1px solid; }
tbody tr:nth-child(odd) { background: color-mix(in srgb, currentColor 6%, transparent); }
img { max-width: 100%; }`;

/** Without a base of its own it would have this page's address, which may hold a token. */
const NOWHERE = '<base href="about:srcdoc">';

/** A frame with HTML in an origin of its own. */
export class Sandbox {
  // Without allow-same-origin it has neither this page's cookies nor its documents, whatever it does.
  readonly node = element('iframe', 'mlw-sandbox', { sandbox: 'allow-scripts', referrerpolicy: 'no-referrer', title: 'Displayed by the cell' });

  constructor(private html: string) {
    this.node.style.height = `${FIRST}px`;
    window.addEventListener('message', this.hear);
    this.draw();
  }

  update(html: string): void {
    if (html === this.html) return;
    this.html = html;
    this.draw();
  }

  /** Show it in the colours that the page has now. */
  draw(): void {
    const now = getComputedStyle(document.body);
    const colour = now.getPropertyValue('--jp-ui-font-color1') || now.color;
    const font = now.getPropertyValue('--jp-ui-font-family') || now.fontFamily;
    const page = `:root { color-scheme: ${now.colorScheme}; color: ${colour}; font: 13px/1.4 ${font}; }`;
    this.node.srcdoc = `<!doctype html><meta charset="utf-8">${NOWHERE}<style>${page}\n${LOOK}</style>${TELL}<body>${this.html}`;
  }

  destroy(): void {
    window.removeEventListener('message', this.hear);
  }

  private readonly hear = ({ source, data }: MessageEvent<unknown>): void => {
    if (source === null || source !== this.node.contentWindow) return;
    const height = askedHeight(data);
    if (height !== null) this.node.style.height = `${height}px`;
  };
}

/** The pixels that a message asks for; null where it asks for none. */
export function askedHeight(data: unknown): number | null {
  if (typeof data !== 'object' || data === null) return null;
  const { type, height } = data as { type?: unknown; height?: unknown };
  if (type !== HEIGHT || typeof height !== 'number' || !Number.isFinite(height)) return null;
  return Math.min(LARGEST, Math.max(16, height));
}
