import { LabIcon } from '@jupyterlab/ui-components';

import { CLOCK } from '../../panel/schedules/icons.ts';

export const scheduleIcon = new LabIcon({
  name: 'mlwidgets:schedule',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path class="jp-icon3 jp-icon-selectable" fill="#616161" d="${CLOCK}"/></svg>`,
});
