import { element } from '../dom.ts';
import { formatNumber } from '../format.ts';
import { Card } from './card.ts';
import type { ImageStep, Picture, Track } from './model.ts';
import { shownSize } from './scale.ts';

/** Reads a file of the run folder; rejects where nobody answers. */
export type ReadFile = (file: string) => Promise<DataView>;

/** Pixels of the longer side from which on `src` is a smaller copy. */
const PREVIEW = 192;

/** Pixels of the longer side, by how many images share a strip. */
function sideFor(count: number): number {
  if (count === 1) return 340;
  return count <= 8 ? 112 : count <= 24 ? 84 : 56;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${formatNumber(Math.round(bytes / 1000))} kB` : `${formatNumber(Math.round(bytes / 1e5) / 10)} MB`;
}

/** Draw the images of one step into `node`; a click on one calls `choose`. With `only` that one alone, and large. */
export function drawImages(node: HTMLElement, step: ImageStep, only: number | null, choose: (index: number) => void): void {
  const large = only === null ? undefined : step.images[only];
  const pictures = large ? [large] : step.images;
  pictures.forEach((picture, i) => {
    const side = large ? Math.max(480, large.width ?? 0, large.height ?? 0) : sideFor(pictures.length);
    const before = node.children[i];
    const frame = picture.src === null && !large ? missing(picture, side) : drawPicture(picture, side, before);
    if (!before) node.append(frame);
    else if (before !== frame) before.replaceWith(frame);
    const button = frame.querySelector('button');
    if (!button) return;
    button.setAttribute('aria-expanded', String(large !== undefined));
    button.onclick = () => {
      choose(i);
    };
  });
  while (node.children.length > pictures.length) node.lastElementChild?.remove();
}

/** A picture in a frame; the frame of the step before is used again, so that nothing flickers as the slider moves. */
function drawPicture(picture: Picture, side: number, before: Element | undefined): Element {
  const known = picture.width && picture.height ? shownSize(picture.width, picture.height, side) : null;
  const old = before?.querySelector('img');
  const image = old ?? element('img', '', { decoding: 'sync' });
  if (image.src !== picture.src) image.src = picture.src ?? '';
  image.alt = picture.caption ?? picture.file;
  const sides = picture.width && picture.height ? `, ${picture.width} × ${picture.height}` : '';
  image.title = `${picture.file}${sides}, ${formatBytes(picture.bytes)}`;
  image.classList.toggle('mlw-media-pixels', known !== null && known.width > 1.5 * (picture.width ?? 1));
  image.style.width = known ? `${known.width}px` : '';
  image.style.maxHeight = known ? '' : `${side}px`;
  const frame =
    old && before
      ? before
      : element('figure', 'mlw-media-picture', {}, element('button', 'mlw-media-zoom', { type: 'button' }, image));
  frame.querySelector('figcaption')?.remove();
  if (picture.caption) frame.append(element('figcaption', '', { title: picture.caption }, picture.caption));
  return frame;
}

function missing(picture: Picture, side: number): HTMLElement {
  const { width, height } = shownSize(picture.width ?? side, picture.height ?? side, side);
  const text = `${formatBytes(picture.bytes)}: ${picture.file}`;
  const box = element('button', 'mlw-media-zoom mlw-media-missing', { type: 'button', title: text }, text);
  box.style.width = `${Math.max(width, 90)}px`;
  box.style.height = `${Math.max(height, 60)}px`;
  const caption = picture.caption ? [element('figcaption', '', {}, picture.caption)] : [];
  return element('figure', 'mlw-media-picture', {}, box, ...caption);
}

/** The images of one name; a click on one shows it alone, as large as it is. */
export class ImageCard extends Card<Track<ImageStep>> {
  private readonly strip = element('div', 'mlw-media-strip');
  private only: number | null = null;
  /** The image as large as it is, once it was read. */
  private whole: { readonly file: string; readonly url: string } | null = null;

  constructor(
    track: Track<ImageStep>,
    private readonly readFile: ReadFile | null,
  ) {
    super(track, 'images');
    this.body.append(this.strip);
    this.node.classList.toggle('mlw-media-wide', Math.max(...track.steps.map((step) => step.images.length)) > 2);
  }

  override destroy(): void {
    this.forget();
    super.destroy();
  }

  protected override draw(): void {
    const step = this.shown;
    if (!step) return;
    if (this.only !== null && this.only >= step.images.length) this.only = null;
    drawImages(this.strip, step, this.only, (index) => {
      this.only = this.only === null ? index : null;
      this.draw();
    });
    const large = this.only === null ? undefined : step.images[this.only];
    if (this.whole && this.whole.file === large?.file) this.showWhole(this.whole.url);
    else {
      this.forget();
      const reduced = large && (large.src === null || Math.max(large.width ?? 0, large.height ?? 0) > PREVIEW);
      if (reduced) void this.sharpen(large.file);
    }
  }

  /** Put the image itself in the place of its preview. */
  private async sharpen(file: string): Promise<void> {
    const kind = /\.(\w+)$/.exec(file)?.[1] ?? 'png';
    try {
      const data = await this.readFile?.(file);
      // Meanwhile the run may have logged more, and the reader gone on to another image.
      if (data === undefined || this.only === null || this.shown?.images[this.only]?.file !== file) return;
      this.forget();
      const type = { svg: 'image/svg+xml', jpg: 'image/jpeg' }[kind] ?? `image/${kind}`;
      this.whole = { file, url: URL.createObjectURL(new Blob([data as BlobPart], { type })) };
      this.showWhole(this.whole.url);
    } catch {
      // Nobody answers: the preview stays.
    }
  }

  private showWhole(url: string): void {
    const image = this.strip.querySelector('img');
    if (image) image.src = url;
  }

  private forget(): void {
    if (this.whole) URL.revokeObjectURL(this.whole.url);
    this.whole = null;
  }
}
