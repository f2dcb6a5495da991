import { element } from './dom.ts';
import { terminalText } from './ansidom.ts';
import { HostedDisplays } from './hosted.ts';
import type { Display } from './model.ts';
import { Sandbox } from './sandbox.ts';
import { Steady } from './steady.ts';
import { onThemeChange } from './theme.ts';

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** What the cell displayed, as the notebook would have shown it. Only what changed is drawn again. */
export class DisplayList {
  readonly node = element('section', 'mlw-section mlw-displays', { 'aria-label': 'Displayed by the cell', hidden: '' });
  private readonly steady = new Steady(this.node, () => {
    this.node.hidden = this.shown.length === 0;
  });
  private readonly hosted: HostedDisplays;
  private readonly sandboxes = new Map<Element, Sandbox>();
  private shown: string[] = [];
  /** The picture that each frame shows next, should several be decoded at once. */
  private readonly latest = new WeakMap<Element, HTMLImageElement>();
  private readonly endThemes: () => void;

  /** Where it is not trusted, HTML is kept apart from the page and no other script runs. */
  constructor(private readonly trusted: boolean) {
    this.hosted = new HostedDisplays(trusted);
    this.endThemes = onThemeChange(() => {
      for (const sandbox of this.sandboxes.values()) sandbox.draw();
    });
  }

  update(displays: readonly Display[]): void {
    this.steady.hold();
    const keys = displays.map((display) => JSON.stringify(display));
    displays.forEach((display, index) => {
      if (keys[index] !== this.shown[index]) this.place(display, index);
    });
    while (this.node.children.length > displays.length) {
      this.forget(this.node.lastElementChild);
      this.node.lastElementChild?.remove();
    }
    this.shown = keys;
    if (displays.length) this.node.hidden = false;
  }

  destroy(): void {
    this.steady.destroy();
    this.hosted.destroy();
    this.endThemes();
    for (const frame of [...this.sandboxes.keys()]) this.forget(frame);
  }

  private forget(frame: Element | null | undefined): void {
    if (!frame) return;
    this.hosted.remove(frame);
    this.sandboxes.get(frame)?.destroy();
    this.sandboxes.delete(frame);
  }

  private place(display: Display, index: number): void {
    const before = this.node.children[index];
    if (this.hosted.update(before, display)) return;
    const image = imageSource(display);
    if (image && before?.firstElementChild instanceof HTMLImageElement && !this.hosted.has(before, display)) {
      // The old picture stays until the new one is decoded: nothing flickers or jumps.
      const next = renderImage(display, image);
      this.latest.set(before, next);
      const swap = (): void => {
        if (this.latest.get(before) === next) before.replaceChildren(next);
      };
      next.decode().then(swap, swap);
      return;
    }
    const html = display.data['text/html'];
    const apart = html !== undefined && !this.trusted;
    const known = before && this.sandboxes.get(before);
    if (apart && known && !this.hosted.has(before, display)) {
      known.update(text(html));
      return;
    }
    const sandbox = apart ? new Sandbox(text(html)) : null;
    const frame = element('div', 'mlw-display', {}, sandbox?.node ?? (image ? renderImage(display, image) : renderOther(display)));
    this.forget(before);
    if (before) before.replaceWith(frame);
    else this.node.append(frame);
    if (sandbox) this.sandboxes.set(frame, sandbox);
    else if (this.trusted) runScripts(frame);
    this.hosted.add(frame, display);
  }
}

function text(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join('');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function imageSource(display: Display): string | null {
  if ('text/html' in display.data) return null;
  if ('image/svg+xml' in display.data) {
    return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text(display.data['image/svg+xml']))}`;
  }
  const type = IMAGES.find((mime) => mime in display.data);
  return type === undefined ? null : `data:${type};base64,${text(display.data[type]).replace(/\s/g, '')}`;
}

function renderImage(display: Display, source: string): HTMLImageElement {
  const image = element('img', '', { src: source, alt: text(display.data['text/plain'] ?? 'Figure') });
  const mime = source.slice(5, source.search(/[;,]/));
  const own = display.metadata[mime];
  const metadata = (typeof own === 'object' && own !== null ? own : display.metadata) as Record<string, unknown>;
  for (const side of ['width', 'height'] as const) {
    if (typeof metadata[side] === 'number') image.setAttribute(side, String(metadata[side]));
  }
  const ground = display.metadata.needs_background ?? metadata.needs_background;
  if (ground === 'light' || ground === 'dark') image.classList.add(`mlw-on-${ground}`);
  return image;
}

function renderOther(display: Display): HTMLElement {
  const html = display.data['text/html'];
  if (html === undefined) return terminalText(text(display.data['text/plain'] ?? ''));
  // The class names are JupyterLab's: tables look as they do in any other output.
  const node = element('div', 'mlw-html jp-RenderedHTMLCommon jp-RenderedHTML');
  node.innerHTML = text(html);
  return node;
}

/** The user's own displays may bring scripts, which the notebook would have run; innerHTML alone does not run them. */
function runScripts(node: HTMLElement): void {
  for (const inert of node.querySelectorAll('script')) {
    const script = document.createElement('script');
    for (const { name, value } of inert.attributes) script.setAttribute(name, value);
    script.textContent = inert.textContent;
    inert.replaceWith(script);
  }
}
