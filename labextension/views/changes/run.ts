// The tab of a run's view that says what changed since the run before of the same name, and what came of it.
import { element, setText } from '../dom.ts';
import { formatNumber } from '../format.ts';
import { hasEnded, type RunData } from '../model.ts';
import { Badge } from '../states.ts';
import { CellList } from './cells.ts';
import { drawFacts, drawStat } from './cell.ts';
import { effects, type Effect } from './effect.ts';
import { drawRows } from './lines.ts';
import type { Row, RunChanges } from './model.ts';
import { ago, countLines, many } from './said.ts';

const SIGNS: Readonly<Record<Effect['verdict'], string>> = { better: '✓', worse: '✗', 'the same': '=', higher: '', lower: '', '': '' };

export class RunChangesPanel {
  readonly node = element('div', 'mlw-panel mlw-run-changes');
  private readonly when = element('span');
  private readonly effect = element('tbody');
  private cells: CellList | null = null;
  private shown = '';
  private shownEffect = '';
  private since = 0;

  update(run: RunData): void {
    const changes = run.details?.changes;
    const key = JSON.stringify([run.header.id, changes]);
    if (key !== this.shown) {
      this.shown = key;
      this.cells?.destroy();
      this.cells = null;
      this.node.replaceChildren(...(changes ? this.draw(changes) : [hint('This is the first run of its name.')]));
    }
    if (!changes) return;
    this.since = changes.since.submitted;
    this.tick();
    const soFar = !hasEnded(run.header.state);
    const came = effects(changes, run);
    const effect = JSON.stringify([came, soFar]);
    if (effect === this.shownEffect) return;
    this.shownEffect = effect;
    this.effect.parentElement?.classList.toggle('mlw-effect-known', came.every((one) => one.best));
    this.effect.replaceChildren(...came.map((one) => drawEffect(one, soFar)));
  }

  tick(): void {
    setText(this.when, ago(this.since, Date.now() / 1000));
  }

  destroy(): void {
    this.cells?.destroy();
  }

  private draw({ since, params, cell, notebook, modules, environment, metrics, best, left_out: left = 0 }: RunChanges): Node[] {
    const badge = new Badge();
    badge.update({ state: since.state, cause: null });
    badge.node.removeAttribute('role');
    const title = element('div', 'mlw-changes-since', { title: since.id }, element('span', '', {}, 'Since ', element('b', '', {}, since.name), ', ', this.when), badge.node);
    const nodes: Node[] = [title];
    const top = element('div', 'mlw-changes-top');
    if (params.length) top.append(part('Parameters', drawFacts(params, 'Parameters')));
    if (metrics.length || best) {
      const head = ['Metric', 'Last', 'Best', ''].map((text) => element('th', '', { scope: 'col' }, text));
      const table = element('table', 'mlw-table mlw-effect', {}, element('thead', '', {}, element('tr', '', {}, ...head)), this.effect);
      top.append(part('Effect', element('div', 'mlw-table-frame', {}, table)));
    }
    if (top.childElementCount) nodes.push(top);
    if (cell) nodes.push(code('Code of the cell', cell));
    for (const [name, rows] of modules) nodes.push(code(name, rows));
    if (notebook?.cells.length) {
      this.cells = new CellList();
      this.cells.update(notebook);
      nodes.push(part('Other cells of the notebook', this.cells.node));
    }
    if (environment.length) nodes.push(part('Environment', drawFacts(environment, 'Environment')));
    if (!params.length && !cell && !modules.length && !notebook?.cells.length && !environment.length) {
      nodes.splice(1, 0, hint('Nothing changed: the same code, parameters and environment.'));
    }
    if (left) nodes.push(hint(`${many(left, 'line')} found no room here: %nbdiff and mlwidgets diff show all of them.`));
    return nodes;
  }
}

function code(label: string, rows: readonly Row[]): HTMLElement {
  const section = part(label, element('div', 'mlw-diff-box', {}, drawRows(rows, true)));
  section.firstElementChild?.append(drawStat(countLines(rows)));
  return section;
}

function drawEffect({ name, better, last, best, verdict, by }: Effect, soFar: boolean): HTMLElement {
  const direction = better > 0 ? 'higher is better' : better < 0 ? 'lower is better' : '';
  const said = element('td', 'mlw-effect-verdict');
  if (verdict) {
    said.append(element('span', `mlw-effect-word mlw-effect-${verdict.replace(' ', '-')}`, {}, `${SIGNS[verdict]} ${verdict}`.trim()), by ? ` ${by}` : '', soFar && verdict !== 'the same' ? ' so far' : '');
  } else said.append(element('span', 'mlw-hint', {}, (best ?? last)[1] === null ? (soFar ? 'not logged yet' : 'not logged') : ''));
  const row = element('tr', '', {}, element('th', '', { scope: 'row', title: direction }, name));
  for (const pair of [last, best]) row.append(element('td', 'mlw-number', {}, ...(pair ? drawPair(pair) : [])));
  row.append(said);
  return row;
}

function drawPair([from, to]: readonly [Effect['last'][0], Effect['last'][1]]): (Node | string)[] {
  const arrow = typeof from === 'number' && typeof to === 'number' && from !== to ? (to > from ? ' ↗ ' : ' ↘ ') : ' → ';
  return [element('span', 'mlw-key', {}, formatNumber(from)), arrow, element('span', 'mlw-value', {}, formatNumber(to))];
}

function part(label: string, ...content: Node[]): HTMLElement {
  const head = element('div', 'mlw-changes-part', {}, element('span', 'mlw-section-name', {}, label));
  return element('section', 'mlw-changes-section', { 'aria-label': label }, head, ...content);
}

function hint(text: string): HTMLElement {
  return element('div', 'mlw-hint', {}, text);
}
