const PAUSE = 1500;

/** Keeps an element from shrinking while what is in it changes in quick succession (clear_output, a new figure). */
export class Steady {
  private timer = 0;

  constructor(
    private readonly node: HTMLElement,
    private readonly settled: () => void,
  ) {}

  /** Call before each change. */
  hold(): void {
    window.clearTimeout(this.timer);
    const height = this.node.offsetHeight;
    this.node.style.minHeight = height ? `${height}px` : '';
    this.timer = window.setTimeout(() => {
      this.node.style.minHeight = '';
      this.settled();
    }, PAUSE);
  }

  destroy(): void {
    window.clearTimeout(this.timer);
  }
}
