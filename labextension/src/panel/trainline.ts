// The `%%train` line of a cell, read and written: see `%%train?`.

export interface TrainLine {
  readonly name: string;
  /** As after `--gpus`; empty where the line has none. */
  readonly gpus: string;
  /** `lr=1e-3 epochs=10` */
  readonly params: string;
  /** Everything else, as it stands. */
  readonly rest: string;
}

const WITH_VALUE = new Set([
  '--seed', '-i', '--inputs', '-o', '--outputs', '--timeout', '--gpus', '--cpus', '--priority', '--after', '--retries', '--tag', '--note',
]);
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const MAGIC = /^\s*%%train\b[^\n]*\n?/;

/** Whether a cell is a search already: it takes no `%%train` on top. */
export function isSweep(source: string): boolean {
  return /^\s*%%sweep\b/.test(source);
}

export function readTrainLine(source: string): TrainLine | null {
  const found = MAGIC.exec(source);
  if (!found) return null;
  const words = splitWords(found[0].trim()).slice(1);
  const line = { name: '', gpus: '', params: [] as string[], rest: [] as string[] };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word.startsWith('--gpus=')) line.gpus = word.slice(7);
    else if (WITH_VALUE.has(word)) {
      const value = words[(i += 1)] ?? '';
      if (word === '--gpus') line.gpus = value;
      else line.rest.push(word, value);
    } else if (word.startsWith('-')) line.rest.push(word);
    else if (/^[\p{L}_][\p{L}\p{N}_]*=/u.test(word)) line.params.push(word);
    else if (line.name) line.rest.push(word);
    else line.name = word;
  }
  return { ...line, params: line.params.join(' '), rest: line.rest.join(' ') };
}

/** Put the line on top of a cell, in place of the one that is there. */
export function writeTrainLine(source: string, { name, gpus, params, rest }: TrainLine): string {
  const words = ['%%train', name.trim(), gpus.trim() ? `--gpus ${gpus.trim()}` : '', rest.trim(), params.trim().replace(/\s*\n\s*/g, ' ')];
  return `${words.filter(Boolean).join(' ')}\n${source.replace(MAGIC, '')}`;
}

/** Words as the magic splits them: at spaces that are neither quoted nor inside brackets. Quotes stay. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let [word, quote, closing, escaped] = ['', '', '', false];
  for (const char of line) {
    if (quote) {
      word += char;
      if (char === quote && !escaped) quote = '';
      escaped = char === '\\' && !escaped;
    } else if (/\s/.test(char) && !closing) {
      if (word) words.push(word);
      word = '';
    } else {
      word += char;
      if (char === '"' || char === "'") quote = char;
      else if (CLOSING[char]) closing = CLOSING[char] + closing;
      else if (char === closing.at(0)) closing = closing.slice(1);
    }
  }
  return word ? [...words, word] : words;
}

export function wrongName(name: string): string | null {
  return !name.trim() || /^[\p{L}_][\p{L}\p{N}_-]*$/u.test(name.trim()) ? null : 'A letter first, then letters, digits, - and _.';
}

export function wrongGpus(gpus: string): string | null {
  return /^(auto|\d+|0?\.(25|5|50|75))?$/.test(gpus.trim()) ? null : 'A number, 0.25, 0.5, 0.75 or auto.';
}

export function wrongParams(params: string): string | null {
  const comma = splitWords(params).find((word) => word.endsWith(','));
  if (comma !== undefined) return `${comma} ends with a comma: spaces stand between parameters.`;
  const bad = splitWords(params).find((word) => !/^[\p{L}_][\p{L}\p{N}_]*=./u.test(word));
  return bad === undefined ? null : `${bad} is no name=value: no spaces around the equals sign.`;
}
