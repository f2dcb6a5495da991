// What changed in a notebook, beside it. It follows saves and edits while somebody looks at it.
import type { Words } from '../../panel/words.ts';
import { DOWN, UP } from '../../panel/icons.ts';
import { Refused } from '../../panel/api.ts';
import { CellList } from '../../views/changes/cells.ts';
import type { CellChange, ChangesDocument } from '../../views/changes/model.ts';
import { countWords, sideWords, summary } from '../../views/changes/said.ts';
import { button, element, setText } from '../../views/dom.ts';
import { Missing, type History, type HistoryApi, type Snapshot } from './api.ts';
import { choicesOf, firstChoice, NOW, type SubmittedRun } from './choices.ts';
import { HistoryList, type HistoryActions } from './historylist.ts';
import { before, joined, PAGE, shownOf } from './pages.ts';
import { Picker } from './picker.ts';

/** Milliseconds after which a reader is told that something takes a moment. */
const MOMENT = 400;
/** Milliseconds between looks at the clock. */
const TICK = 20_000;

/** Where the panel is shown: what it knows of the notebook beside it, and what can be done there. */
export interface Place extends Pick<HistoryActions, 'open' | 'restore' | 'name' | 'readOnly'> {
  readonly path: string;
  /** The notebook as it is where edits in it are not saved; null where the file is the same, or the notebook is not open. */
  unsaved(outputs: boolean): unknown;
  /** Whether the server keeps notebooks elsewhere than in files. */
  readonly elsewhere: boolean;
  /** Runs that were submitted from it, the newest first. */
  runs(): readonly SubmittedRun[];
  goTo(cell: CellChange): void;
}

export class ChangesPanel {
  readonly node = element('div', 'mlw-panel-colours mlw-changes-view', { tabindex: '-1' });
  private readonly from: Picker;
  private readonly to: Picker;
  private readonly bar: HTMLElement;
  private readonly said = element('span', 'mlw-changes-said');
  /** What is read out: no time that goes by. */
  private readonly news = element('span', 'mlw-hidden', { role: 'status' });
  private readonly offer = element('span', 'mlw-changes-offer');
  private readonly steps = element('span', 'mlw-changes-steps');
  private readonly step = element('span', 'mlw-changes-step');
  private readonly outputs: HTMLButtonElement;
  private readonly toggle: HTMLButtonElement;
  private readonly scroll = element('div', 'mlw-changes-scroll');
  private readonly cells: CellList;
  private readonly list: HistoryList;
  private readonly timer: number;
  private history: History | null = null;
  private document: ChangesDocument | null = null;
  private chosen: { from: string | null; to: string } = { from: null, to: NOW };
  /** Whether the reader has chosen what is compared. */
  private touched = false;
  /** Whether what is asked for is another comparison than the one on show. */
  private another = false;
  private asked = 0;
  /** Whether an answer is on its way. */
  busy = false;
  private failed = false;
  private moment = 0;

  constructor(
    private readonly api: HistoryApi,
    private readonly place: Place,
    private readonly words: Words,
  ) {
    this.from = new Picker(words.__('Compare'), (value) => { this.choose(value, this.chosen.to); });
    this.to = new Picker(words.__('With'), (value) => { this.choose(this.chosen.from, value); });
    this.outputs = this.switch(words.__('Outputs'), words.__('Compare what the cells put out, too'), () => { void this.compare(); });
    this.toggle = this.switch(words.__('History'), words.__('All that is kept of this notebook'), () => { this.list.node.hidden = !isOn(this.toggle); });
    this.cells = new CellList((cell) => { place.goTo(cell); }, () => { this.tell(); });
    this.list = new HistoryList(words, {
      show: (snapshot) => { void this.show(snapshot); },
      compare: (snapshot) => { this.choose(`snapshot:${snapshot.id}`, NOW); },
      open: (snapshot) => { place.open(snapshot); },
      restore: (snapshot) => { place.restore(snapshot); },
      name: (snapshot) => { place.name(snapshot); },
      showEarlier: () => { void this.showEarlier(); },
      get readOnly() { return place.readOnly; },
    });
    this.list.node.hidden = true;
    const previous = this.arrow(UP, words.__('Previous change (p)'), -1);
    const next = this.arrow(DOWN, words.__('Next change (n)'), 1);
    this.steps.append(previous, this.step, next);
    this.scroll.append(this.cells.node);
    this.bar = element('div', 'mlw-changes-bar', { role: 'group', 'aria-label': words.__('What is compared') });
    this.bar.append(this.from.node, element('span', 'mlw-changes-arrow', { 'aria-hidden': 'true' }, '→'), this.to.node);
    this.node.append(
      this.bar,
      element('div', 'mlw-changes-line', {}, this.said, this.news, this.offer, element('span', 'mlw-changes-tools', {}, this.steps, this.outputs, this.toggle)),
      element('div', 'mlw-changes-main', {}, this.scroll, this.list.node),
    );
    this.node.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
      const by = { n: 1, p: -1 }[event.key];
      if (by !== 1 && by !== -1) return;
      event.preventDefault();
      event.stopPropagation();
      this.cells.step(by);
    });
    this.timer = window.setInterval(() => { this.tell(); }, TICK);
    this.steps.hidden = true;
    this.offer.hidden = true;
    this.bar.hidden = true;
  }

  dispose(): void {
    this.asked += 1;
    window.clearInterval(this.timer);
    window.clearTimeout(this.moment);
    this.cells.destroy();
    this.node.remove();
  }

  focus(): void {
    this.node.focus({ preventScroll: true });
  }

  /** Ask for everything anew: a save, a restore, a name may have changed any of it. */
  async refresh(): Promise<void> {
    const asked = this.begin();
    try {
      // What was asked for beyond the newest stays.
      const history = await this.api.history(this.place.path, this.history ? Math.max(PAGE, shownOf(this.history)) : PAGE);
      if (asked !== this.asked) return;
      this.history = history;
      // What nobody has chosen follows: the first commit of a notebook is compared with from then on.
      if (!this.touched) this.chosen.from = firstChoice(history);
      this.showHistory();
      if (this.chosen.from === null) {
        this.end();
        this.document = null;
        this.cells.update({ version: 1, language: '', counts: { added: 0, removed: 0, edited: 0, moved: 0, same: 0 }, cells: [] });
        this.say(this.words.__('Nothing is kept of this notebook yet: its history begins with the next save.'));
        return;
      }
    } catch (error) {
      if (asked === this.asked) this.fail(error);
      return;
    }
    await this.compare();
  }

  /** Ask for the changes anew: an edit was made. */
  async compare(): Promise<void> {
    const { from, to } = this.chosen;
    if (from === null || !this.history) return this.refresh();
    const asked = this.begin();
    const outputs = isOn(this.outputs);
    const { place: { path }, words } = this;
    const unsaved = to === NOW ? this.place.unsaved(outputs) : null;
    try {
      const document = await (unsaved ? this.api.compareUnsaved(path, from, unsaved, outputs) : this.api.compare(path, from, to === NOW ? 'file' : to, outputs));
      if (asked !== this.asked) return;
      this.end();
      this.document = document;
      this.cells.update(document.diff);
      if (this.another) this.scroll.scrollTop = 0;
      this.another = false;
      this.showHistory();
      this.tell();
      setText(this.news, countWords(document.diff.counts) || words.__('No cell has changed'));
    } catch (error) {
      if (asked === this.asked) this.fail(error);
    }
  }

  /** Show what a snapshot changed; of the first one what has changed since. */
  private async show(snapshot: Snapshot): Promise<void> {
    const { history, place: { path } } = this;
    if (!history) return;
    try {
      let old = before(history, snapshot);
      if (old === undefined) [old = null] = (await this.api.history(path, 1, snapshot.id)).snapshots;
      if (old) this.choose(`snapshot:${old.id}`, `snapshot:${snapshot.id}`);
      else this.choose(`snapshot:${snapshot.id}`, NOW);
    } catch (error) {
      this.fail(error);
    }
  }

  private async showEarlier(): Promise<void> {
    const last = this.history?.snapshots[shownOf(this.history) - 1];
    if (!last) return;
    try {
      const earlier = await this.api.history(this.place.path, PAGE, last.id);
      if (this.history) this.history = joined(this.history, last.id, earlier);
      this.showHistory();
    } catch (error) {
      this.fail(error);
    }
  }

  private choose(from: string | null, to: string): void {
    this.touched = true;
    this.another = true;
    this.chosen = { from, to };
    this.showHistory();
    void this.compare();
  }

  /** Say once more how long ago everything was, and which change is looked at. */
  private tell(): void {
    const { document, words } = this;
    const now = Date.now() / 1000;
    if (this.history) this.list.tick(now);
    if (!document || this.failed) return;
    const { at, of } = this.cells.position;
    const unknown = isOn(this.outputs) && document.diff.outputs === false;
    this.say(`${summary(document, now)}.${unknown ? ` ${words.__('Outputs are not compared: snapshots and runs keep none.')}` : ''}`);
    this.steps.hidden = of === 0;
    setText(this.step, at ? words.__('%1 of %2', at, of) : words._n('%1 change', '%1 changes', of));
    const { from, to } = this.chosen;
    const other = of === 0 && to === NOW && from !== 'save-before' && (this.history?.snapshots.length ?? 0) > 1;
    this.propose(other ? words.__('What did the last save change?') : '', () => { this.choose('save-before', 'save'); });
  }

  /** Offer the one thing that a reader may want next. */
  private propose(label: string, act: () => void): void {
    if ((this.offer.textContent || '') === label) return;
    this.offer.replaceChildren(...(label ? [button(label, 'mlw-button', act)] : []));
    this.offer.hidden = !label;
  }

  private showHistory(): void {
    const { history, document, words, chosen } = this;
    if (!history) return;
    const now = Date.now() / 1000;
    const groups = choicesOf(history, this.place.runs(), now, words);
    const called = (side: 'old' | 'new'): string => (document ? sideWords(document[side], now) : '…');
    if (chosen.from !== null) this.from.offer(groups, chosen.from, called('old'));
    this.to.offer([{ label: '', choices: [{ value: NOW, label: words.__('Now, edits included') }] }, ...groups], chosen.to, called('new'));
    this.bar.hidden = chosen.from === null;
    const compared = [chosen.from, chosen.to].flatMap((which) => (which?.startsWith('snapshot:') ? [which.slice(9)] : []));
    this.list.update(history, compared, now);
  }

  private begin(): number {
    this.busy = true;
    window.clearTimeout(this.moment);
    this.moment = window.setTimeout(() => {
      if (!this.document) this.say(this.words.__('Comparing…'));
      this.node.classList.add('mlw-changes-busy');
    }, MOMENT);
    return (this.asked += 1);
  }

  private end(failed = false): void {
    window.clearTimeout(this.moment);
    this.busy = false;
    this.failed = failed;
    this.node.classList.remove('mlw-changes-busy');
    this.node.classList.toggle('mlw-changes-failed', failed);
  }

  private fail(error: unknown): void {
    this.end(true);
    const { words } = this;
    const message = whatFailed(error, this.place, words);
    this.say(message);
    setText(this.news, message);
    this.steps.hidden = true;
    this.propose(words.__('Try again'), () => { void this.refresh(); });
  }

  private say(text: string): void {
    setText(this.said, text);
  }

  private switch(label: string, title: string, changed: () => void): HTMLButtonElement {
    const node = button(label, 'mlw-button mlw-changes-switch', () => {
      node.setAttribute('aria-pressed', String(!isOn(node)));
      changed();
    });
    node.title = title;
    node.setAttribute('aria-pressed', 'false');
    return node;
  }

  private arrow(path: string, label: string, by: 1 | -1): HTMLButtonElement {
    const node = button('', 'mlw-tool', () => { this.cells.step(by); }, path);
    node.title = label;
    node.setAttribute('aria-label', label);
    return node;
  }
}

function whatFailed(error: unknown, { elsewhere }: Place, words: Words): string {
  if (error instanceof Refused) return capitalised(error.message);
  if (!(error instanceof Missing)) return words.__('The server does not answer: this is what was last seen.');
  if (elsewhere) return words.__('This server keeps notebooks elsewhere than in files: they have no history here.');
  return words.__('The server’s mlwidgets is older than this page: restart the Jupyter server.');
}

function isOn(toggle: HTMLElement): boolean {
  return toggle.getAttribute('aria-pressed') === 'true';
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'));
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
