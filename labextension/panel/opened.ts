// Runs opened from the panel: live from the server, with no kernel.
import { element } from '../views/dom.ts';
import { mountRun } from '../views/index.ts';
import type { RunSource } from '../views/model.ts';
import type { Project } from './project.ts';
import type { Words } from './words.ts';

/** What the address of the panel's page ends with where runs are opened. */
export function openedHash(store: string, runs: readonly string[]): string {
  return `#open=${encodeURIComponent(store)}/${runs.map(encodeURIComponent).join(',')}`;
}

export function readOpenedHash(hash: string): { store: string; runs: string[] } | null {
  const [, store = '', ids] = /^#open=(.*)\/([^/]+)$/.exec(hash) ?? [];
  if (ids === undefined) return null;
  try {
    return { store: decodeURIComponent(store), runs: ids.split(',').map(decodeURIComponent) };
  } catch {
    return null;
  }
}

/** Show runs of one store in `node` and keep them up to date; returns what takes them away again. */
export function mountOpened(node: HTMLElement, project: Project, store: string, runs: readonly string[], words: Words, open: (run: string) => void): () => void {
  const channel = project.follow(store, runs);
  channel.open = open;
  const source: RunSource = project.readOnly ? watchOnly(channel) : channel;
  const message = element('div', 'mlw-opened-message mlw-hint', { role: 'status' });
  let unmount: (() => void) | null = null;
  node.append(message);
  const update = (): void => {
    if (channel.runs.length && !unmount) unmount = mountRun(node, source);
    const offline = !project.stream.connected;
    // What ended while nobody could tell is shown as it was; the view itself says that it stands still.
    message.hidden = unmount !== null && !channel.error && (!offline || channel.over);
    message.textContent =
      channel.error ??
      (offline
        ? words.__('The server does not answer: this is what was last seen. The runs themselves go on.')
        : words.__('Loading…'));
  };
  const ends = [channel.subscribe(update), project.subscribe(update)];
  update();
  return () => {
    for (const end of ends) end();
    channel.dispose();
    unmount?.();
    node.replaceChildren();
  };
}

/** The same runs for somebody who may look at them and change nothing. */
function watchOnly(source: Required<Pick<RunSource, 'ask' | 'subscribe'>> & RunSource): RunSource {
  return {
    get runs() {
      return source.runs;
    },
    get clock() {
      return source.clock ?? 0;
    },
    teller: 'server',
    subscribe: (changed) => source.subscribe(changed),
    ask: (question) => source.ask(question),
    open: (run) => {
      source.open?.(run);
    },
  };
}
