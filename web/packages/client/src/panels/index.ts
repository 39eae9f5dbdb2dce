/** @greenroom/client/panels: what the assistant shows beside the conversation, for any framework or none. */

export { SANDBOX_POLICY, sandboxed } from './sandbox.ts';
export { NO_PANELS, withEvent, type PanelsState } from './state.ts';
export { panelsOf, type Panels } from './store.ts';
