// What a notification says of a report that is being made.
import type { Words } from '../../panel/words.ts';
import { hasEnded } from '../../views/model.ts';
import type { Told } from './api.ts';

const MOST_OF_CAUSE = 200;

export interface Said {
  readonly text: string;
  readonly type: 'in-progress' | 'success' | 'warning' | 'error' | 'info';
  readonly over: boolean;
}

export function said(name: string, told: Told, words: Words): Said {
  const { state, cells, edition } = told;
  if (!hasEnded(state)) {
    if (state === 'submitted') return going(told.waiting ? words.__('Publishing %1: %2', name, told.waiting) : words.__('Publishing %1: starting…', name));
    if (!cells?.of) return going(words.__('Publishing %1…', name));
    const text = words.__('Publishing %1: %2 of %3 cells', name, cells.done, cells.of);
    return going(cells.heading ? `${text} – ${cells.heading}` : text);
  }
  if (!edition && told.pending) return going(words.__('Publishing %1: making the page…', name));
  if (edition?.state === 'published') return end(words.__('Published: %1', name), 'success');
  if (state === 'stopped') return end(words.__('%1 was stopped: nothing was published', name), 'info');
  const cause = short(edition?.cause ?? told.cause ?? '');
  if (edition?.state === 'withheld') return end(words.__('%1 was not published: %2', name, cause), 'warning');
  // The run may have finished where its page could not be written.
  return end(cause ? words.__('%1 failed: %2', name, cause) : words.__('%1 failed', name), 'error');
}

function going(text: string): Said {
  return { text, type: 'in-progress', over: false };
}

function end(text: string, type: Said['type']): Said {
  return { text, type, over: true };
}

function short(cause: string): string {
  return cause.length > MOST_OF_CAUSE ? `${cause.slice(0, MOST_OF_CAUSE)}…` : cause;
}
