import { element } from '../dom.ts';

/** How much of the objective each parameter decides, as bars. */
export class ImportanceBars {
  readonly node: HTMLElement;
  private readonly bars = element('div', 'mlw-sweep-bars');
  private shown: Readonly<Record<string, number>> | null | undefined;

  constructor(private readonly choose: (name: string) => void) {
    const head = element('figcaption', 'mlw-chart-head', {}, element('span', 'mlw-chart-name', {}, 'Importance'));
    this.node = element('figure', 'mlw-chart mlw-sweep-importance', { 'aria-label': 'Importance of parameters' }, head, this.bars);
  }

  update(importance: Readonly<Record<string, number>> | null, ended: boolean, names: readonly string[]): void {
    if (!importance) {
      this.shown = importance;
      const why = ended ? 'Not enough trials have finished.' : 'Known once enough trials have finished.';
      this.bars.replaceChildren(element('div', 'mlw-hint', {}, why));
      return;
    }
    if (importance === this.shown) return;
    this.shown = importance;
    const ranked = Object.entries(importance).sort(([, a], [, b]) => b - a);
    const largest = Math.max(1e-9, ...ranked.map(([, share]) => share));
    this.bars.replaceChildren(
      ...ranked.map(([name, share]) => {
        const percent = share > 0 && share < 0.005 ? '< 1 %' : `${Math.round(share * 100)} %`;
        const fill = element('span', 'mlw-sweep-bar-fill');
        fill.style.width = `${(Math.max(0, share) / largest) * 100}%`;
        const bar = element(
          'button',
          'mlw-sweep-bar',
          { type: 'button', title: `Scatter over ${name}`, 'aria-label': `${name} ${percent}: scatter over it` },
          element('span', 'mlw-sweep-bar-name', {}, name),
          element('span', 'mlw-sweep-bar-track', {}, fill),
          element('span', 'mlw-sweep-bar-value', {}, percent),
        );
        bar.disabled = !names.includes(name);
        bar.addEventListener('click', () => {
          this.choose(name);
        });
        return bar;
      }),
    );
  }
}
