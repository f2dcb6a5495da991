// Displays of types that only the page around the views can draw: Markdown, LaTeX, JSON, Vega and whatever else it knows.
import type { Display } from './model.ts';

/** Goes up from a display's frame, with an `Offer`. Without anybody who takes it, the frame keeps what it shows. */
export const DISPLAY_EVENT = 'mlwidgets:display';

export interface Offer {
  readonly display: Display;
  /** Whether it may run scripts. */
  readonly trusted: boolean;
  /** Set by whoever draws it, into the event's target. */
  drawn: Drawn | null;
}

export interface Drawn {
  /** Show this in its place; false where that takes a new offer. */
  update(display: Display): boolean;
  dispose(): void;
}

/** What the views draw themselves, and what only the process that displayed it could bring to life. */
const OWN = /^text\/(plain|html)$|^image\/|^application\/vnd\.jupyter\.widget-/;

/** Draws displays by the page around the views, where that can and as soon as they are on the page. */
export class HostedDisplays {
  private readonly offers = new Map<Element, Offer>();
  private readonly sight = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      this.sight.unobserve(target);
      const offer = this.offers.get(target);
      if (offer) target.dispatchEvent(new CustomEvent(DISPLAY_EVENT, { bubbles: true, detail: offer }));
    }
  });

  constructor(private readonly trusted: boolean) {}

  /** Whether somebody else may draw in this frame, or is to draw this display. */
  has(frame: Element, display: Display): boolean {
    return this.offers.has(frame) || isForeign(display);
  }

  /** Offer what this new frame shows. */
  add(frame: Element, display: Display): void {
    if (!isForeign(display)) return;
    this.offers.set(frame, { display, trusted: this.trusted, drawn: null });
    // A size comes with a place on the page, which some renderers need.
    this.sight.observe(frame);
  }

  /** Show another display in the frame; false where that takes a new one. */
  update(frame: Element | undefined, display: Display): boolean {
    return (frame && this.offers.get(frame)?.drawn?.update(display)) ?? false;
  }

  remove(frame: Element | null | undefined): void {
    if (!frame) return;
    this.sight.unobserve(frame);
    this.offers.get(frame)?.drawn?.dispose();
    this.offers.delete(frame);
  }

  destroy(): void {
    for (const frame of [...this.offers.keys()]) this.remove(frame);
    this.sight.disconnect();
  }
}

function isForeign({ data }: Display): boolean {
  return !Object.keys(data).every((mime) => OWN.test(mime));
}
