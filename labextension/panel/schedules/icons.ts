// Icons of 16 by 16 units.
export const PLAY = 'M4.500 2.800 13 8l-8.500 5.200z';
export const PAUSE = 'M4 3.200h2.700v9.600H4zm5.300 0H12v9.600H9.300z';
export const PLUS = 'M7.350 2.500h1.300v4.850h4.850v1.300H8.650v4.850h-1.300V8.650H2.500v-1.300h4.850z';
/** A clock: what runs by itself. */
export const CLOCK = 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2m0 1.300a4.700 4.700 0 1 0 0 9.400a4.700 4.700 0 0 0 0-9.400m-.65 1.900h1.300v2.550l2.100 1.250-.65 1.100-2.750-1.600z';
