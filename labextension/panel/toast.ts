import { button, element } from '../views/dom.ts';

/** Milliseconds for which a message stays. */
const STAYS = 10_000;

/** One message at the foot of the panel, with something to do about it. */
export class Toast {
  readonly node = element('div', 'mlw-toast', { role: 'status', hidden: '' });
  private timer: ReturnType<typeof setTimeout> | undefined;

  show(message: string, action?: { readonly label: string; run(): void }): void {
    clearTimeout(this.timer);
    const parts: (Node | string)[] = [element('span', 'mlw-toast-text', {}, message)];
    if (action) {
      parts.push(
        button(action.label, 'mlw-button', () => {
          this.hide();
          action.run();
        }),
      );
    }
    this.node.replaceChildren(...parts);
    this.node.hidden = false;
    this.timer = setTimeout(() => {
      // A message that somebody is about to use stays.
      if (this.node.contains(document.activeElement) || this.node.matches(':hover')) this.timer = setTimeout(() => { this.hide(); }, STAYS);
      else this.hide();
    }, STAYS);
  }

  hide(): void {
    clearTimeout(this.timer);
    this.node.hidden = true;
  }
}
