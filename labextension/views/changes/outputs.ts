// What cells put out, before and after.
import { element } from '../dom.ts';
import { drawRows } from './lines.ts';
import type { OutputChange, Picture } from './model.ts';
import { many } from './said.ts';

const NAMES: Readonly<Record<OutputChange['type'], string>> = { text: 'Text', image: 'Picture', table: 'Table', error: 'Error', other: 'Output' };
const WORDS: Readonly<Record<OutputChange['change'], string>> = { same: 'the same', added: 'added', removed: 'removed', edited: 'changed' };

/** Draw the outputs of a cell that differ. */
export function drawOutputs(outputs: readonly OutputChange[]): HTMLElement {
  const differ = outputs.filter(({ change }) => change !== 'same');
  const same = outputs.length - differ.length;
  const section = element('div', 'mlw-diff-outputs', { role: 'group', 'aria-label': 'Outputs' });
  for (const { change, type, rows, old, new: to } of differ) {
    const said = `${NAMES[type]} ${WORDS[change]}`;
    const figure = element('figure', `mlw-diff-output mlw-diff-type-${type}`, { 'aria-label': said }, element('figcaption', 'mlw-diff-caption', {}, said));
    if (old != null || to != null) {
      const pair = element('div', 'mlw-diff-pair');
      if (old) pair.append(element('del', 'mlw-diff-side mlw-diff-old', { 'aria-label': 'Before' }, drawPicture(old, 'Before')));
      if (to) pair.append(element('ins', 'mlw-diff-side mlw-diff-new', { 'aria-label': 'After' }, drawPicture(to, 'After')));
      figure.append(pair);
    }
    if (rows?.length) figure.append(drawRows(rows, false));
    section.append(figure);
  }
  if (same) section.append(element('div', 'mlw-diff-caption', {}, `${many(same, 'output')} unchanged`));
  return section;
}

/** An <img> runs no scripts, whatever the picture brings along. */
function drawPicture({ mime, data }: Picture, alt: string): HTMLElement {
  return element('img', '', { src: `data:${mime};base64,${data}`, alt });
}
