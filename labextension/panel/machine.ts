import { element, icon, setText } from '../views/dom.ts';
import { formatElapsed } from '../views/format.ts';
import { CARET } from './icons.ts';
import type { SlotGpu, SlotHolder, Slots } from './model.ts';
import type { Words } from './words.ts';

/** The server's machine: each GPU with who uses it, and who waits for what. */
export class MachineSection {
  readonly node = element('section', 'mlw-machine', { hidden: '' });
  private readonly head = element('button', 'mlw-machine-head', { type: 'button', 'aria-expanded': 'true' });
  private readonly title = element('span', 'mlw-machine-title');
  private readonly sum = element('span', 'mlw-count');
  private readonly body = element('div', 'mlw-machine-body');
  private shown: Slots | null = null;
  /** What each time that is shown says at a moment. */
  private times: (readonly [node: HTMLElement, said: (now: number) => string])[] = [];

  constructor(
    private readonly words: Words,
    /** Opens a run of a store of this server. */
    private readonly open: (store: string, run: string) => void,
  ) {
    this.node.setAttribute('aria-label', words.__('GPUs and queue'));
    this.head.append(icon(CARET), this.title, this.sum);
    this.head.addEventListener('click', () => {
      this.expand(this.body.hidden);
    });
    this.node.append(this.head, this.body);
  }

  expand(open: boolean): void {
    this.body.hidden = !open;
    this.head.setAttribute('aria-expanded', String(open));
  }

  update(slots: Slots | null, now: number): void {
    this.node.hidden = !slots;
    if (!slots) return;
    if (slots === this.shown) {
      for (const [node, said] of this.times) setText(node, said(now));
      return;
    }
    this.shown = slots;
    this.times = [];
    const { words } = this;
    const { gpus, running, waiting } = slots;
    setText(this.title, gpus.length ? words.__('GPUs') : words.__('This machine'));
    const parts = [
      gpus.length ? words.__('%1/%2 in use', gpus.filter(({ held, foreign }) => held > 0 || foreign).length, gpus.length) : words.__('%1/%2 CPUs', slots.cpus_held, slots.cpus),
      waiting.length ? words.__('%1 waiting', waiting.length) : '',
    ];
    setText(this.sum, parts.filter(Boolean).join(' · '));
    const without = running.filter((run) => !Object.keys(run.gpus).length);
    const items: HTMLElement[] = gpus.map((gpu) => this.gpu(gpu, running.filter((run) => gpu.uuid in run.gpus), slots, now));
    if (without.length) {
      const title = gpus.length ? [element('div', 'mlw-machine-name', {}, words.__('Without a GPU'))] : [];
      items.push(element('div', 'mlw-gpu', {}, ...title, ...without.map((run) => this.holder(run, slots, now))));
    }
    if (waiting.length) {
      const rows = waiting.map((one) =>
        element('div', 'mlw-holder', { title: `${one.user}: ${one.need}` }, this.link(one.run, one.name, slots), element('span', 'mlw-why', { title: one.why }, one.why || one.need)),
      );
      items.push(element('div', 'mlw-gpu', {}, element('div', 'mlw-machine-name', {}, words.__('Waiting')), ...rows));
    }
    if (!items.length) items.push(element('div', 'mlw-hint', {}, words.__('Nothing runs and nothing waits.')));
    // A click in the middle of an exchange would be lost.
    if (!this.body.contains(document.activeElement)) this.body.replaceChildren(...items);
  }

  private gpu(gpu: SlotGpu, holders: readonly SlotHolder[], slots: Slots, now: number): HTMLElement {
    const { words } = this;
    const memory = gpu.memory ? `, ${Math.round(gpu.memory / 2 ** 30)} GiB` : '';
    const used = Math.round(gpu.held * 100);
    const meter = element('span', 'mlw-meter', {
      role: 'meter', 'aria-label': words.__('Share in use'), 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': String(used),
    });
    meter.style.setProperty('--mlw-share', `${used}%`);
    const note = gpu.drained ? words.__('out of use: %1', gpu.drained) : gpu.foreign ? words.__('used by %1', gpu.foreign) : holders.length ? '' : words.__('free');
    return element(
      'div',
      'mlw-gpu',
      { title: `${gpu.name}${memory}\n${gpu.uuid}` },
      element('div', 'mlw-machine-name', {}, element('span', '', {}, `GPU ${gpu.index}`), meter, element('span', 'mlw-why', { title: note }, note)),
      ...holders.map((run) => this.holder(run, slots, now, gpu.uuid)),
    );
  }

  private holder(run: SlotHolder, slots: Slots, now: number, uuid?: string): HTMLElement {
    const share = uuid === undefined ? 1 : (run.gpus[uuid] ?? 0);
    const cpus = uuid === undefined && run.cpus ? this.words._n('%1 CPU', '%1 CPUs', run.cpus) : '';
    const about = [share < 1 ? `${share * 100} %` : '', cpus, run.user].filter(Boolean).join(' · ');
    const said = (at: number): string => `${about} · ${formatElapsed(at - run.since)}`;
    const node = element('span', 'mlw-why', {}, said(now));
    this.times.push([node, said]);
    return element('div', 'mlw-holder', {}, this.link(run.run, run.name, slots), node);
  }

  private link(id: string, name: string, slots: Slots): HTMLElement {
    const store = slots.mine?.find(([run]) => run === id)?.[1];
    if (store === undefined) return element('span', 'mlw-holder-name', { title: id }, name);
    const node = element('button', 'mlw-holder-name mlw-link', { type: 'button', title: this.words.__('Open %1', name) }, name);
    node.addEventListener('click', () => {
      this.open(store, id);
    });
    return node;
  }
}
