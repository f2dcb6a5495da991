// What a run was and what it left: parameters, code, environment, files, each with a download.
import { button, element, setText } from './dom.ts';
import type { Checkpoints, RunData, RunSource } from './model.ts';
import { highlight } from './python.ts';
import { formatBytes } from './system.ts';

const DOWNLOAD = 'M7.200 2h1.600v6l2.500-2.500 1.100 1.100L8 11 3.600 6.600l1.100-1.100L7.200 8zM3 12.500h10V14H3z';

/** A panel that is drawn when it is open and what it shows has changed. */
abstract class Panel {
  readonly node = element('div', 'mlw-panel');
  private shown: unknown = undefined;

  update(run: RunData): void {
    const content = this.content(run);
    const key = JSON.stringify([run.header.id, content]);
    if (key === this.shown) return;
    this.shown = key;
    this.node.replaceChildren(...this.draw(run));
  }

  protected abstract content(run: RunData): unknown;
  protected abstract draw(run: RunData): Node[];
}

export class ParametersPanel extends Panel {
  protected content(run: RunData): unknown {
    return [run.header.params, run.header.tags, run.header.note];
  }

  protected draw({ header }: RunData): Node[] {
    if (!header.params.length && !header.tags.length) return [empty('No parameters were given.')];
    const params = JSON.stringify(Object.fromEntries(header.params), null, 2);
    return [
      head(
        count(header.params.length, 'parameter'),
        save('Download parameters', () => {
          download(`${header.name}-parameters.json`, params, 'application/json');
        }),
      ),
      pairs([...header.params, ...header.tags.map(([key, value]) => [`tag ${key}`, value] as const)]),
    ];
  }
}

export class CodePanel extends Panel {
  protected content(run: RunData): unknown {
    return run.details?.code;
  }

  protected draw({ header, details }: RunData): Node[] {
    if (!details?.code) return [empty('The code is not kept here.')];
    const { code, heading } = details;
    const text = heading ? `${heading}\n${code}` : code;
    return [
      head(
        count(code.trimEnd().split('\n').length, 'line'),
        save('Download code', () => {
          download(`${header.name}.py`, code, 'text/x-python');
        }),
      ),
      element('pre', 'mlw-text mlw-code', { tabindex: '0', 'aria-label': 'Code' }, ...highlight(text.trimEnd())),
    ];
  }
}

export class EnvironmentPanel extends Panel {
  protected content(run: RunData): unknown {
    return [run.details?.facts, run.details?.packages.length];
  }

  protected draw({ header, details }: RunData): Node[] {
    if (!details?.facts.length) return [empty('Nothing is known of the environment.')];
    const { facts, packages } = details;
    const nodes: Node[] = [pairs(facts)];
    if (packages.length) {
      const requirements = packages.map(([name, version]) => `${name}==${version}\n`).join('');
      nodes.push(
        head(
          count(packages.length, 'package'),
          save('Download requirements', () => {
            download(`${header.name}-requirements.txt`, requirements, 'text/plain');
          }),
        ),
        element('pre', 'mlw-text mlw-code mlw-packages', { tabindex: '0', 'aria-label': 'Packages' }, requirements),
      );
    }
    return nodes;
  }
}

export class FilesPanel extends Panel {
  constructor(private readonly source: RunSource) {
    super();
  }

  protected content(run: RunData): unknown {
    return [run.details?.files, run.details?.folder, run.details?.checkpoints];
  }

  protected draw({ header, details }: RunData): Node[] {
    const kept = details?.checkpoints?.rows.length ? checkpoints(header.name, details.checkpoints) : [];
    if (!details?.files.length) {
      return [...kept, empty('The run saved no files. ', element('code', '', {}, 'mlwidgets.save(…)'), ' puts them here.')];
    }
    const status = element('div', 'mlw-hint', { role: 'status' });
    const items = details.files.map(([name, size]) => {
      const fetch = save(`Download ${name}`, () => void this.fetch(header.id, name, status));
      fetch.hidden = !this.source.ask;
      return element(
        'tr',
        '',
        {},
        element('th', '', { scope: 'row' }, name),
        element('td', 'mlw-number', {}, formatBytes(size)),
        element('td', 'mlw-row-end', {}, fetch),
      );
    });
    const where = element('div', 'mlw-hint mlw-path', {}, `${details.folder}/outputs`);
    return [...kept, where, status, element('table', 'mlw-table mlw-files', {}, element('tbody', '', {}, ...items))];
  }

  private async fetch(run: string, name: string, status: HTMLElement): Promise<void> {
    setText(status, `Fetching ${name}…`);
    try {
      const { content } = (await this.source.ask?.({ type: 'file', run, name })) ?? {};
      if (content) download(name.replace(/.*\//, ''), content, 'application/octet-stream');
      setText(status, '');
    } catch (error) {
      setText(status, error instanceof Error ? error.message : String(error));
    }
  }
}

/** What is kept of the training, and how it is got back. */
function checkpoints(run: string, { rows }: Checkpoints): Node[] {
  const items = rows.map(([number, where, values, bytes, marks]) =>
    element(
      'tr',
      '',
      {},
      element('th', '', { scope: 'row' }, String(number)),
      element('td', '', {}, where),
      element('td', '', {}, values),
      element('td', '', {}, marks),
      element('td', 'mlw-number', {}, formatBytes(bytes)),
    ),
  );
  const names = ['Checkpoint', 'After', 'Values', '', 'Size'].map((name, i) => element('th', i === 4 ? 'mlw-number' : '', { scope: 'col' }, name));
  const best = rows.some(([, , , , marks]) => marks.startsWith('best'));
  const how = element('div', 'mlw-hint', {}, element('code', '', {}, `%runs load ${run} --${best ? 'best' : 'last'}`), ' puts it into a notebook.');
  const table = element('table', 'mlw-table mlw-kept', {}, element('thead', '', {}, element('tr', '', {}, ...names)), element('tbody', '', {}, ...items));
  return [table, how];
}

function empty(...text: (Node | string)[]): HTMLElement {
  return element('div', 'mlw-hint', {}, ...text);
}

function count(number: number, what: string): string {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}

function head(text: string, action: Node): HTMLElement {
  return element('div', 'mlw-section-head', {}, element('span', 'mlw-hint', {}, text), action);
}

function save(label: string, click: () => void): HTMLButtonElement {
  const node = button('', 'mlw-tool', click, DOWNLOAD);
  node.title = label;
  node.setAttribute('aria-label', label);
  return node;
}

function pairs(entries: readonly (readonly [string, string])[]): HTMLElement {
  const rows = entries.map(([key, value]) =>
    element('tr', '', {}, element('th', '', { scope: 'row' }, key), element('td', '', {}, value)),
  );
  return element('table', 'mlw-table mlw-pairs', {}, element('tbody', '', {}, ...rows));
}

function download(name: string, content: string | DataView, type: string): void {
  const link = element('a', '', { href: URL.createObjectURL(new Blob([content as BlobPart], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  window.setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}
