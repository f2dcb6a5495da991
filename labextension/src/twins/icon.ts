import { LabIcon } from '@jupyterlab/ui-components';

/** Two sheets, one with lines. */
export const PATHS = 'M2.500 1.500h7v2h-1.200V2.700H3.700v8.600h1.100v1.200H2.500zM6.500 4.500h7v10h-7zM7.700 5.700v7.600h4.600V5.700zM8.700 7.200h2.600v1H8.700zM8.700 9h2.600v1H8.700zM8.700 10.800h2.600v1H8.700z';

export const twinIcon = new LabIcon({
  name: 'mlwidgets:twin',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path class="jp-icon3 jp-icon-selectable" fill="#616161" fill-rule="evenodd" d="${PATHS}"/></svg>`,
});
