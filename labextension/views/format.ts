import type { Num } from './model.ts';

/** Four significant digits, whole numbers as they are, exponents for what is tiny or huge. */
export function formatNumber(value: Num): string {
  if (value === null) return '–';
  if (typeof value === 'string') return { NaN: 'NaN', Infinity: '∞', '-Infinity': '−∞' }[value];
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return minus(String(value));
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
    const [mantissa = '', exponent = '0'] = value.toExponential(3).split('e');
    return minus(`${trimZeros(mantissa)}e${String(Number(exponent))}`);
  }
  return minus(size >= 1000 ? value.toFixed(1) : trimZeros(value.toPrecision(4)));
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text;
}

function minus(text: string): string {
  return text.replace(/-/g, '−');
}

/** Seconds as a clock: 0:07, 12:05, 1:02:03, 2 d 03:04:05. */
export function formatElapsed(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n: number): string => String(n).padStart(2, '0');
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const clock = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  if (days) return `${days} d ${two(hours)}:${clock}`;
  if (hours) return `${hours}:${clock}`;
  return clock.replace(/^0/, '');
}

/** How long something took that is over: a clock, or tenths of a second where a clock would say too little. */
export function formatTook(seconds: number): string {
  return seconds < 9.95 ? `${Math.max(0, seconds).toFixed(1)} s` : formatElapsed(seconds);
}

/** Labels of axis ticks that lie `increment` apart: as many digits as tell them apart, k, M and G for large ones. */
export function formatTicks(values: readonly number[], increment: number): string[] {
  const largest = Math.max(0, ...values.map(Math.abs));
  if (largest !== 0 && (increment < 1e-4 || largest >= 1e15)) {
    const digits = Math.max(0, Math.min(6, Math.floor(Math.log10(largest)) - Math.floor(Math.log10(increment))));
    return values.map((value) => (value === 0 ? '0' : minus(value.toExponential(digits).replace('e+', 'e'))));
  }
  const [unit, suffix] = ([[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const).find(
    ([size]) => largest >= 10 * size,
  ) ?? [1, ''];
  let digits = 0;
  for (let rest = increment / unit; digits < 6 && Math.abs(rest - Math.round(rest)) > 1e-6; rest *= 10) digits += 1;
  return values.map((value) => (value === 0 ? '0' : minus((value / unit).toFixed(digits)) + suffix));
}
