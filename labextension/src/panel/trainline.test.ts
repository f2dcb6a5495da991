import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isSweep, readTrainLine, splitWords, writeTrainLine, wrongGpus, wrongName, wrongParams } from './trainline.ts';

describe('the %%train line', () => {
  test('is read word by word and written again', () => {
    const source = '%%train lenet --gpus 2 --tag team=vision --note "a first try" lr=1e-3 betas=(0.9, 0.999)\nx = 1\n';
    const line = readTrainLine(source);
    expect(line).toEqual({ name: 'lenet', gpus: '2', params: 'lr=1e-3 betas=(0.9, 0.999)', rest: '--tag team=vision --note "a first try"' });
    const written = line ? writeTrainLine(source, line) : '';
    expect(written).toBe('%%train lenet --gpus 2 --tag team=vision --note "a first try" lr=1e-3 betas=(0.9, 0.999)\nx = 1\n');
  });

  test('is put on top of a cell that has none', () => {
    expect(readTrainLine('x = 1')).toBeNull();
    expect(writeTrainLine('x = 1', { name: '', gpus: '', params: '', rest: '' })).toBe('%%train\nx = 1');
    expect(writeTrainLine('# %%train\nx', { name: 'a', gpus: '0.5', params: 'lr=1', rest: '' })).toBe('%%train a --gpus 0.5 lr=1\n# %%train\nx');
  });

  test('is not put on top of a search', () => {
    for (const sweep of ['%%sweep', '\n %%sweep s lr=uniform(0, 1)\nx']) expect(isSweep(sweep)).toBe(true);
    for (const other of ['%%train', '# %%sweep', '%%sweeper', 'x = 1']) expect(isSweep(other)).toBe(false);
  });

  test('what was written is read again', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
    const params = fc.array(fc.tuple(fc.stringMatching(/^[a-z]\w{0,5}$/), fc.constantFrom('1e-3', "'a b'", '(1, 2)', '[1]', 'None')));
    fc.assert(
      fc.property(name, fc.constantFrom('', '0', '0.5', '4', 'auto'), params, fc.string(), (given, gpus, pairs, code) => {
        const line = { name: given, gpus, params: pairs.map(([key, value]) => `${key}=${value}`).join(' '), rest: '' };
        const written = writeTrainLine(`\n${code}`, line);
        expect(readTrainLine(written)).toEqual(line);
        expect(written.endsWith(code)).toBe(true);
      }),
    );
  });

  test('is split as the magic splits it, quotes and all', () => {
    // The cases of tests/unit/test_words.py.
    for (const words of [
      ['x=[[1, 2], [3, 4]]', 'y=2'],
      ["x={'a': [1, (2, 3)]}", 'lr=1e-3'],
      ["x='a b'", 'y="c  d"'],
      ["x=')'", 'y=2'],
      ["x=[')', 1]", 'y=2'],
      ["--note", "'it\\'s'", 'a=b=c'],
      ['--note', "'a ( b'", 'c'],
      ["''", "x=''"],
    ]) {
      expect(splitWords(words.join('  '))).toEqual(words);
    }
    expect(splitWords('x=[1, 2 y')).toEqual(['x=[1, 2 y']);
    const source = '%%train a x=[[1, 2], [3, 4]]\n1';
    expect(readTrainLine(source)?.params).toBe('x=[[1, 2], [3, 4]]');
    expect(wrongParams('x=[[1, 2], [3, 4]]')).toBeNull();
  });

  test('says what is wrong before it is run', () => {
    for (const right of ['', 'lenet', 'le-net_5', 'é']) expect(wrongName(right)).toBeNull();
    for (const wrong of ['5', 'a b', 'a;b', '--gpus']) expect(wrongName(wrong)).not.toBeNull();
    for (const right of ['', 'auto', '0', '2', '0.5', '.25']) expect(wrongGpus(right)).toBeNull();
    for (const wrong of ['1.5', '-1', 'all', '0.3']) expect(wrongGpus(wrong)).not.toBeNull();
    for (const right of ['', 'lr=1 b=(1, 2)', "net='a b'"]) expect(wrongParams(right)).toBeNull();
    for (const wrong of ['lr', 'lr =1', '1=2', 'lr=', 'lr=0.5, z=1']) expect(wrongParams(wrong)).not.toBeNull();
  });
});
