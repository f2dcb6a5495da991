import { stateIcon } from '../states.ts';
import type { TrialState } from './model.ts';

export const PAUSE = 'M4.500 3.500h2.500v9h-2.500zm4.500 0h2.500v9H9z';
export const RESUME = 'M5 3.200 12.500 8 5 12.800z';
export const BACK = 'M10.300 3 5.300 8l5 5-1.100 1.100L3.100 8l6.100-6.100z';
export const NEXT = 'M5.700 3l5 5-5 5 1.100 1.100L12.900 8 6.800 1.900z';
export const MINUS = 'M3.500 7.300h9v1.400h-9z';
export const PLUS = 'M7.300 3.500h1.400v3.800h3.800v1.400H8.700v3.800H7.300V8.700H3.500V7.300h3.800z';
export const TAB = 'M3 3h4.500v1.400H4.400v7.200h7.200V8.500H13V13H3zm6 0h4v4h-1.400V5.400L7.700 9.300l-1-1 3.900-3.900H9z';

export function trialIcon(state: TrialState): SVGSVGElement {
  return stateIcon(state === 'waiting' ? 'submitted' : state);
}
