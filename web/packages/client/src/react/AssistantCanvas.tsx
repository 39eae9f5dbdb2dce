/** Where the assistant is seen: a picture that moves with the voice, and what is said. Unstyled. */

import { useCallback, type ComponentProps, type ReactNode } from 'react';
import { avatarLevel, type AvatarState } from '../avatar.ts';
import { useAvatarState } from './around.ts';
import { useVoiceClient, useVoiceSession, type VoiceSession } from './session.ts';

export interface AssistantCanvasProps extends Omit<ComponentProps<'section'>, 'children' | 'ref'> {
  /** The avatar's picture; told what the assistant does. */
  children?: ReactNode | ((avatar: AvatarState) => ReactNode);
  /** Whether the last words, and what went wrong, are shown below it. They are, unless switched off. */
  captions?: boolean;
}

/**
 * A region for the avatar. For styles: `data-avatar`, `data-status`, `data-muted`, and the CSS variable `--level`
 * (0 … 1, the voice of whoever has the word), which changes 20 times a second without rendering.
 */
export function AssistantCanvas({ children, captions = true, ...rest }: AssistantCanvasProps) {
  const session = useVoiceSession();
  const avatar = useAvatarState();
  return (
    <section
      aria-label="Assistant"
      data-avatar={avatar}
      data-status={session.sessionStatus}
      data-muted={session.muted}
      {...rest}
      ref={useLevelVariable(avatar)}
    >
      {typeof children === 'function' ? children(avatar) : children}
      {captions ? <Captions session={session} /> : null}
    </section>
  );
}

/** Writes the level into `--level` of the element, as long as there is one. */
function useLevelVariable(avatar: AvatarState): (element: HTMLElement | null) => (() => void) | undefined {
  const client = useVoiceClient();
  return useCallback(
    (element: HTMLElement | null) => {
      if (!element) return undefined;
      const write = () => {
        const level = avatarLevel(avatar, client.getAudioLevel(), client.getAssistantLevel());
        element.style.setProperty('--level', level.toFixed(3));
      };
      write();
      // Only the level that is shown is measured.
      if (avatar === 'speaking') return client.subscribeAssistantLevel(write);
      return avatar === 'listening' ? client.subscribeAudioLevel(write) : undefined;
    },
    [client, avatar],
  );
}

function Captions({ session }: { session: VoiceSession }) {
  const { error, transcript, messages, soundBlocked, unblockSound } = session;
  const said = transcript ?? messages.at(-1);
  return (
    <>
      <p data-part="caption" data-role={said?.role} aria-live="polite">
        {said?.text}
      </p>
      {error ? (
        <p data-part="problem" role="alert">
          {error.message} {error.whatToDo}
        </p>
      ) : null}
      {soundBlocked ? (
        <button data-part="unblock" type="button" onClick={() => void unblockSound()}>
          Let me hear the assistant
        </button>
      ) : null}
    </>
  );
}
