import { LabIcon } from '@jupyterlab/ui-components';

export const changesIcon = new LabIcon({
  name: 'mlwidgets:changes',
  svgstr: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M7.300 2.200h1.400v3.400h3.400V7H8.700v3.400H7.300V7H3.900V5.600h3.400zM3.900 12.200h8.200v1.400H3.900z"/></svg>',
});
