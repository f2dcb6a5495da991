// The dead-man's switch: what should have run while nobody was there.
import { button, element, setText } from '../../views/dom.ts';
import type { Words } from '../words.ts';
import type { Book, MissedIn } from './book.ts';
import type { Kept } from './model.ts';

const MOST_NAMED = 3;

/** "3 times were missed while no server was running, since Fri 20 Nov 2026 18:00 CET: sales, prices." */
export function missedText(missed: readonly MissedIn[], words: Words): string {
  const count = missed.reduce((sum, one) => sum + one.count, 0);
  const [first] = [...missed].sort((a, b) => a.first - b.first);
  if (!first) return '';
  const names = [...new Set(missed.map(({ name }) => name))];
  const named = names.length > MOST_NAMED ? [...names.slice(0, MOST_NAMED), words.__('%1 more', names.length - MOST_NAMED)] : names;
  const many = missed.some((one) => one.count >= 100) ? words.__('%1 or more', count) : String(count);
  const said = words._n('%2 time was missed while no server was running, %3 %4: %5.', '%2 times were missed while no server was running, %3 %4: %5.', count, many, count === 1 ? words.__('at') : words.__('since'), first.since, named.join(', '));
  const made = missed.filter(({ run }) => run !== null).length;
  if (made === missed.length) return `${said} ${words._n('It was made up for with one run.', 'Each schedule was made up for with one run.', names.length)}`;
  return said;
}

export class MissedBanner {
  readonly node = element('div', 'mlw-missed', { role: 'status', hidden: '' });
  private readonly text = element('span', 'mlw-banner-text');
  private readonly run: HTMLButtonElement;
  private readonly dismiss: HTMLButtonElement;

  constructor(
    private readonly book: Book,
    private readonly words: Words,
    attempt: (done: Promise<unknown>) => void,
  ) {
    this.run = button(words.__('Run now'), 'mlw-button mlw-changes', () => {
      attempt(this.runAll());
    });
    this.dismiss = button(words.__('Dismiss'), 'mlw-button mlw-changes', () => {
      attempt(book.dismiss());
    });
    this.node.append(this.text, this.run, this.dismiss);
  }

  update(): void {
    const { missed } = this.book;
    setText(this.text, missedText(missed, this.words));
    this.node.hidden = !missed.length;
    this.run.hidden = !this.left().length;
  }

  /** Schedules whose missed times nothing was started for. */
  private left(): readonly Kept[] {
    const keys = new Set(this.book.missed.filter(({ run }) => run === null).map(({ store, schedule }) => `${store}\n${schedule}`));
    return this.book.schedules.filter(({ store, id }) => keys.has(`${store}\n${id}`));
  }

  private async runAll(): Promise<void> {
    for (const one of this.left()) await this.book.act(one, 'run');
    await this.book.dismiss();
  }
}
