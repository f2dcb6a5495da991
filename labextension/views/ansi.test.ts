import { describe, expect, it } from 'vitest';

import { parseTerminal } from './ansi.ts';

function plain(text: string): string[] {
  return parseTerminal(text).map((line) => line.map((span) => span.text).join(''));
}

describe('what a terminal would show', () => {
  it('splits lines and keeps empty ones between them', () => {
    expect(plain('a\n\nb\n')).toEqual(['a', '', 'b']);
    expect(plain('')).toEqual([]);
  });

  it('treats CR LF as one line end', () => {
    expect(plain('a\r\nb\r\n')).toEqual(['a', 'b']);
  });

  it('overwrites after a carriage return, and what is longer stays', () => {
    expect(plain('10%\r100%\n')).toEqual(['100%']);
    expect(plain('abcdef\rxy')).toEqual(['xycdef']);
  });

  it('erases to the end of the line', () => {
    expect(plain('abcdef\r\x1b[Kxy')).toEqual(['xy']);
    expect(plain('abcdef\x1b[2K\rxy')).toEqual(['xy']);
    expect(plain('abc\x1b[1K')).toEqual(['   ']);
  });

  it('applies backspaces', () => {
    expect(plain('abc\b\bX')).toEqual(['aXc']);
  });

  it('shows only the last state of a progress bar', () => {
    const bar = Array.from({ length: 100 }, (_, i) => `\r${i}%|${'█'.repeat(i / 10)}|`).join('');
    expect(plain(`start\n${bar}\ndone\n`)).toEqual(['start', '99%|█████████|', 'done']);
  });

  it('keeps nested progress bars apart', () => {
    expect(plain('\router 0\n\rinner 0\x1b[A\router 1\n\rinner 1\x1b[A')).toEqual(['outer 1', 'inner 1']);
  });

  it('drops sequences it has no use for: titles, links, modes, a torn one at the end', () => {
    expect(plain('\x1b]0;title\x07a\x1b[?25lb\x1b(Bc\x1b[3')).toEqual(['abc']);
  });

  it('keeps characters beyond the basic plane whole', () => {
    expect(plain('🚀🚀\rx')).toEqual(['x🚀']);
  });
});

describe('colours', () => {
  it('start and end with their sequences', () => {
    expect(parseTerminal('\x1b[31mred\x1b[0m plain')).toEqual([
      [
        { text: 'red', style: { fg: 1 } },
        { text: ' plain', style: null },
      ],
    ]);
  });

  it('go on across lines', () => {
    expect(parseTerminal('\x1b[1;32ma\nb\x1b[m')).toEqual([
      [{ text: 'a', style: { bold: true, fg: 2 } }],
      [{ text: 'b', style: { bold: true, fg: 2 } }],
    ]);
  });

  it.each([
    ['38;5;9', 9],
    ['38;5;208', 'rgb(255, 135, 0)'],
    ['38;5;244', 'rgb(128, 128, 128)'],
    ['38;2;1;2;3', 'rgb(1, 2, 3)'],
    ['95', 13],
  ])('%s is understood', (code, fg) => {
    expect(parseTerminal(`\x1b[${code}mx`)).toEqual([[{ text: 'x', style: { fg } }]]);
  });

  it('are taken back one by one', () => {
    expect(parseTerminal('\x1b[1;4;31mx\x1b[22;39my')[0]?.[1]).toEqual({ text: 'y', style: { underline: true } });
  });

  it('leave no markup behind: the text comes as it is', () => {
    expect(plain('<b>&amp;</b>')).toEqual(['<b>&amp;</b>']);
  });
});
