import { LabIcon } from '@jupyterlab/ui-components';

import { REPORT } from '../../panel/icons.ts';

export const reportIcon = new LabIcon({
  name: 'mlwidgets:report',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path class="jp-icon3 jp-icon-selectable" fill="#616161" d="${REPORT}"/></svg>`,
});
