import { LabIcon } from '@jupyterlab/ui-components';

import { RUNS } from '../../panel/icons.ts';

export const runsIcon = new LabIcon({
  name: 'mlwidgets:runs',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path class="jp-icon3 jp-icon-selectable" fill="#616161" d="${RUNS}"/></svg>`,
});
