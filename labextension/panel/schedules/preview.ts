import { element } from '../../views/dom.ts';
import { Refused } from '../api.ts';
import type { Words } from '../words.ts';
import type { Book } from './book.ts';
import type { Given } from './model.ts';

/** Milliseconds after the last key. */
const PAUSE = 200;

/** When a schedule would start, in words and in its next times. */
export class Times {
  readonly node = element('div', 'mlw-form-times', { role: 'status' });
  private readonly words = element('p', 'mlw-form-said');
  private readonly list = element('ol', 'mlw-schedule-times');
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = 0;
  private last = '';

  constructor(
    private readonly book: Book,
    private readonly said: Words,
  ) {
    this.node.append(this.words, this.list);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.asked += 1;
  }

  none(): void {
    this.dispose();
    this.last = '';
    this.node.classList.add('mlw-stale');
  }

  /** Ask the server, and say what it does not like. */
  ask(store: string, given: Given, wrong: (message: string) => void): void {
    const key = JSON.stringify([store, given]);
    if (key === this.last) return;
    this.last = key;
    clearTimeout(this.timer);
    const asked = (this.asked += 1);
    this.timer = setTimeout(() => {
      this.node.classList.add('mlw-stale');
      this.book.api.preview(store, given).then(
        ({ words, times }) => {
          if (asked !== this.asked) return;
          wrong('');
          this.node.classList.remove('mlw-stale');
          this.words.textContent = words;
          this.list.replaceChildren(...times.map(({ text }) => element('li', '', {}, text)));
        },
        (error: unknown) => {
          if (asked !== this.asked) return;
          this.last = '';
          this.list.replaceChildren();
          // That it is away is said when one saves.
          this.words.textContent = error instanceof Refused ? '' : this.said.__('The server does not answer.');
          wrong(error instanceof Refused ? error.message : '');
        },
      );
    }, this.words.textContent ? PAUSE : 0);
  }
}
