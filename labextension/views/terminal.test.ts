import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseTerminal } from './ansi.ts';
import { Terminal } from './terminal.ts';

function lines(terminal: Terminal): string[] {
  const found: string[] = [];
  for (let number = terminal.first; number < terminal.end; number++) {
    found.push(terminal.line(number).map(({ text }) => text).join(''));
  }
  return found;
}

const pieces = fc.array(
  fc.constantFrom('a', 'bc', '\n', '\r', '\b', '\x1b[31m', '\x1b[0m', '\x1b[K', '\x1b[A', '\x1b[2C', '🚀', '\x1b]0;t\x07', ' x '),
  { maxLength: 60 },
);

describe('the output of a run', () => {
  it('shows the same however it is cut into pieces, also within a sequence', () => {
    fc.assert(
      fc.property(pieces, fc.array(fc.nat(7), { maxLength: 100 }), (parts, cuts) => {
        const text = parts.join('');
        // The kernel sends whole characters.
        const chars = Array.from(text);
        const terminal = new Terminal({ text: '' });
        for (let at = 0, i = 0; at < chars.length; i++) {
          const until = at + 1 + (cuts[i] ?? 7);
          terminal.apply({ add: chars.slice(at, until).join('') });
          at = until;
        }
        const whole = parseTerminal(text).map((spans) => spans.map(({ text: part }) => part).join(''));
        const shown = lines(terminal);
        while (shown.length && shown[shown.length - 1] === '') shown.pop();
        expect(shown).toEqual(whole);
      }),
    );
  });

  it('goes on where the text before it ended', () => {
    const terminal = new Terminal({ text: 'one\ntwo', first: 0 });
    terminal.apply({ add: ' and more\nthree\n' });
    expect(lines(terminal)).toEqual(['one', 'two and more', 'three']);
    expect(terminal.end).toBe(3);
  });

  it('counts its lines from the beginning of the file', () => {
    const terminal = new Terminal({ text: 'x\ny\n', first: 998, cut: true });
    expect([terminal.first, terminal.end, terminal.cut]).toEqual([998, 1000, true]);
  });

  it('forgets what is long gone, and lines keep their numbers', () => {
    const terminal = new Terminal({ text: '' });
    for (let i = 0; i < 200; i++) {
      terminal.apply({ add: Array.from({ length: 100 }, (_, j) => `line ${i * 100 + j}\n`).join('') });
    }
    expect(terminal.end).toBe(20_000);
    expect(terminal.first).toBeGreaterThan(10_000);
    expect(terminal.line(19_999)[0]?.text).toBe('line 19999');
    expect(terminal.line(terminal.first)[0]?.text).toBe(`line ${terminal.first}`);
  });

  it('leaves lines that did not change as they are', () => {
    const terminal = new Terminal({ text: 'a\nb' });
    const before = [terminal.line(0), terminal.line(1)];
    terminal.apply({ add: 'c\n' });
    expect(terminal.line(0)).toBe(before[0]);
    expect(terminal.line(1)).not.toBe(before[1]);
  });

  it('starts anew when it is cleared', () => {
    const terminal = new Terminal({ text: 'old\n' });
    const { generation } = terminal;
    terminal.apply({ text: 'new\n', first: 0 });
    expect(lines(terminal)).toEqual(['new']);
    expect(terminal.generation).toBe(generation + 1);
  });
});
