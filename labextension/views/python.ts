// Colours for Python code, as JupyterLab's editor gives them. A reader is to recognise the cell; nothing is parsed.
import { element } from './dom.ts';

const KEYWORDS =
  'False|None|True|and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield';
const TOKEN = new RegExp(
  [
    '(#[^\\n]*)',
    '([rbfuRBFU]{0,2}(?:"""[^]*?(?:"""|(?![^]))|\'\'\'[^]*?(?:\'\'\'|(?![^]))|"(?:\\\\.|[^"\\\\\\n])*"?|\'(?:\\\\.|[^\'\\\\\\n])*\'?))',
    `(\\b(?:${KEYWORDS})\\b)`,
    '(\\b(?:0[xob][\\da-fA-F_]+|\\d[\\d_]*(?:\\.[\\d_]*)?(?:[eE][+-]?\\d+)?j?)\\b)',
    '(^[%!@][^\\n]*)',
    '\\w+',
  ].join('|'),
  'gm',
);

const KINDS = ['comment', 'string', 'keyword', 'number', 'meta'] as const;

export interface Token {
  readonly kind: (typeof KINDS)[number];
  readonly text: string;
  /** Characters before it. */
  readonly at: number;
}

/** What of the code has a colour, in order. */
export function* tokens(code: string): Generator<Token> {
  for (const match of code.matchAll(TOKEN)) {
    const kind = KINDS.find((_kind, i) => match[i + 1] !== undefined);
    if (kind) yield { kind, text: match[0], at: match.index };
  }
}

/** The code as text and coloured spans. */
export function highlight(code: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let at = 0;
  for (const token of tokens(code)) {
    parts.push(code.slice(at, token.at), element('span', `mlw-py-${token.kind}`, {}, token.text));
    at = token.at + token.text.length;
  }
  parts.push(code.slice(at));
  return parts;
}
