/** The one button: it starts the conversation and ends it. Unstyled; its state is in data attributes. */

import type { ComponentProps, MouseEvent } from 'react';
import type { VoiceState } from '../state.ts';
import { useAvatarState } from './around.ts';
import { useVoiceSession } from './session.ts';

/** What the button says, by status. */
export type ButtonLabels = Partial<Record<VoiceState['sessionStatus'], string>>;

const LABELS: ButtonLabels = {
  inactive: 'Talk',
  unavailable: 'Try again',
  queued: 'Stop waiting',
  connecting: 'Cancel',
  disconnecting: 'Ending',
};
/** In every other status there is a conversation to end. */
const END = 'End the conversation';

export interface AssistantButtonProps extends ComponentProps<'button'> {
  labels?: ButtonLabels;
}

/**
 * A button for the session. With children (a picture, say) its words become their accessible name.
 * For styles: `data-status`, `data-avatar`, `data-muted`. An `onClick` that prevents the default keeps it from
 * starting or ending.
 */
export function AssistantButton({ labels, children, onClick, ...rest }: AssistantButtonProps) {
  const { sessionStatus, muted, toggleSession } = useVoiceSession();
  const avatar = useAvatarState();
  const label = labels?.[sessionStatus] ?? LABELS[sessionStatus] ?? END;
  const toggle = (event: MouseEvent<HTMLButtonElement>) => {
    onClick?.(event);
    if (!event.defaultPrevented) void toggleSession();
  };
  return (
    <button
      type="button"
      aria-label={children ? label : undefined}
      aria-busy={sessionStatus === 'connecting' || sessionStatus === 'disconnecting'}
      data-status={sessionStatus}
      data-avatar={avatar}
      data-muted={muted}
      {...rest}
      onClick={toggle}
    >
      {children ?? label}
    </button>
  );
}
