// Colours for Python code, as JupyterLab's editor gives them. A reader is to recognise the cell; nothing is parsed.
import { element } from './dom.ts';

const KEYWORDS =
  'False|None|True|and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield';
const TOKEN = new RegExp(
  [
    '(?<comment>#[^\\n]*)',
    '(?<string>[rbfuRBFU]{0,2}(?:"""[^]*?(?:"""|$)|\'\'\'[^]*?(?:\'\'\'|$)|"(?:\\\\.|[^"\\\\\\n])*"?|\'(?:\\\\.|[^\'\\\\\\n])*\'?))',
    `(?<keyword>\\b(?:${KEYWORDS})\\b)`,
    '(?<number>\\b(?:0[xob][\\da-fA-F_]+|\\d[\\d_]*(?:\\.[\\d_]*)?(?:[eE][+-]?\\d+)?j?)\\b)',
    '(?<meta>^[%!@][^\\n]*)',
    '\\w+',
  ].join('|'),
  'gm',
);

/** The code as text and coloured spans. */
export function highlight(code: string): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let at = 0;
  for (const match of code.matchAll(TOKEN)) {
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => (text as string | undefined) !== undefined)?.[0];
    if (!kind) continue;
    parts.push(code.slice(at, match.index), element('span', `mlw-py-${kind}`, {}, match[0]));
    at = match.index + match[0].length;
  }
  parts.push(code.slice(at));
  return parts;
}
