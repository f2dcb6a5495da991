// Lines of code in their colours, with the words that differ marked.
import { element } from '../dom.ts';
import { tokens } from '../python.ts';
import type { Part, Row } from './model.ts';

/** Characters from which on nobody reads every word, and colours only cost time. */
const LONGEST = 100_000;

/** A coloured piece of a line, in characters from its begin. */
export interface Stretch {
  readonly kind: string;
  readonly from: number;
  readonly until: number;
}

/** The coloured pieces of each line of a Python text. */
export function stretches(text: string): Stretch[][] {
  const texts = text.split('\n');
  const lines: Stretch[][] = texts.map(() => []);
  if (text.length > LONGEST) return lines;
  let [line, begin] = [0, 0];
  const nextLine = (): void => {
    begin += (texts[line]?.length ?? 0) + 1;
    line += 1;
  };
  for (const token of tokens(text)) {
    while (token.at > begin + (texts[line]?.length ?? 0)) nextLine();
    let { at } = token;
    token.text.split('\n').forEach((piece, i) => {
      if (i) nextLine();
      lines[line]?.push({ kind: token.kind, from: at - begin, until: at - begin + piece.length });
      at += piece.length + 1;
    });
  }
  return lines;
}

/** Cut a line where a mark or a colour begins or ends: what is marked, the colour, the text. */
export function pieces(parts: readonly Part[], colours: readonly Stretch[]): (readonly [0 | 1, string, string])[] {
  const cut: (readonly [0 | 1, string, string])[] = [];
  let [at, next] = [0, 0];
  for (const [marked, text] of parts) {
    const end = at + text.length;
    let from = at;
    const put = (until: number, kind: string): void => {
      if (until > from) cut.push([marked, kind, text.slice(from - at, until - at)]);
      from = Math.max(from, until);
    };
    for (; next < colours.length; next += 1) {
      const { kind, from: begin, until } = colours[next] ?? { kind: '', from: end, until: end };
      if (begin >= end) break;
      put(begin, '');
      put(Math.min(until, end), kind);
      if (until > end) break;
    }
    put(end, '');
    at = end;
  }
  return cut;
}

/** The line as text and coloured spans; words that differ are in elements of their own. */
export function paint(parts: readonly Part[], colours: readonly Stretch[], tag: 'ins' | 'del'): (Node | string)[] {
  const nodes: (Node | string)[] = [];
  let word: HTMLElement | null = null;
  for (const [marked, kind, text] of pieces(parts, colours)) {
    const seen = visible(text);
    const node = kind ? element('span', `mlw-py-${kind}`, {}, seen) : seen;
    if (!marked) {
      nodes.push(node);
      word = null;
    } else if (word) word.append(node);
    else nodes.push((word = element(tag, 'mlw-diff-word', {}, node)));
  }
  return nodes;
}

/** What makes text look as if it were in another order, and what cannot be seen at all. */
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f]/g;

/** Text whose characters can all be seen: `␛` for an escape, `⟨202e⟩` for one that turns text around. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '␡' : `⟨${code.toString(16).padStart(4, '0')}⟩`;
  });
}

/** The text of one of the two that rows are of. */
export function sideOf(rows: readonly Row[], side: 'old' | 'new'): string {
  const lines: string[] = [];
  for (const row of rows) {
    if (row[0] === '=') lines.push(row[3]);
    else if (row[0] === '~') lines.push((side === 'old' ? row[3] : row[4]).map(([, text]) => text).join(''));
    else if ((row[0] === '-') === (side === 'old')) lines.push(row[2]);
  }
  return lines.join('\n');
}
