/** @greenroom/client/react/panels: notes, HTML, cards and the question before an address is opened, in React. */

import { createElement, useCallback, useEffect, useMemo, useState, useSyncExternalStore, type ComponentProps } from 'react';
import { openAddress } from '../open.ts';
import { sandboxed } from '../panels/sandbox.ts';
import type { PanelsState } from '../panels/state.ts';
import { panelsOf, type Panels } from '../panels/store.ts';
import type { AssistantChoice, AssistantsAnswer, HtmlData, NoteBody } from '../wire.ts';
import { useVoiceClient } from './session.ts';

export type { PanelsState } from '../panels/state.ts';

/**
 * What the assistant shows beside the conversation, and `set` to open and close. Use it in a component
 * that is there before the click: one that comes later hears what comes later.
 */
export function useToolPanels(): PanelsState & Pick<Panels, 'set'> {
  const panels = panelsOf(useVoiceClient());
  const state = useSyncExternalStore(panels.subscribe, panels.getState, panels.getState);
  return { ...state, set: panels.set };
}

export interface Notes {
  /** The latest changed first; null until they are known. */
  notes: readonly NoteBody[] | null;
  /** The one that the assistant spoke of last. */
  noteId: string | null;
  problem: string | null;
  deleteNote: Panels['deleteNote'];
  readNotes: Panels['readNotes'];
}

/** The user's notes: read when the component appears, and whenever the assistant changes one. */
export function useNotes(): Notes {
  const panels = panelsOf(useVoiceClient());
  const { notes, noteId, problem } = useSyncExternalStore(panels.subscribe, panels.getState, panels.getState);
  useEffect(() => void panels.readNotes(), [panels]);
  return { notes, noteId, problem, deleteNote: panels.deleteNote, readNotes: panels.readNotes };
}

/** An address that the assistant wants to open; call `answer` from the user's click. */
export interface ConsentQuestion {
  url: URL;
  answer(agrees: boolean): void;
}

/** Answers the built-in tool `browser` by asking the user: null, or the question that is to be shown. */
export function useOpenPage(): ConsentQuestion | null {
  const client = useVoiceClient();
  const [questions, setQuestions] = useState<readonly ConsentQuestion[]>([]);
  useEffect(() => {
    const ask = (url: URL, signal: AbortSignal) =>
      new Promise<boolean>((resolve) => {
        const answer = (agrees: boolean) => {
          setQuestions((all) => all.filter((each) => each !== question));
          resolve(agrees);
        };
        const question = { url, answer };
        signal.addEventListener('abort', () => answer(false), { once: true });
        setQuestions((all) => [...all, question]); // One after the other.
      });
    return client.tool('open_page', openAddress(ask));
  }, [client]);
  return questions[0] ?? null;
}

/** Who may be talked with; empty until it is known, and where it cannot be. */
export function useAssistants(): readonly AssistantChoice[] {
  const client = useVoiceClient();
  const [assistants, setAssistants] = useState<readonly AssistantChoice[]>([]);
  const read = useCallback(() => client.request<AssistantsAnswer>('GET', '/api/voice/assistants'), [client]);
  useEffect(() => {
    let isShown = true;
    read().then(
      (answer) => isShown && setAssistants(answer.assistants),
      () => undefined, // Then there is none to choose, and the click on Talk tells more.
    );
    return () => {
      isShown = false;
    };
  }, [read]);
  return assistants;
}

export interface ToolFrameProps extends Omit<ComponentProps<'iframe'>, 'sandbox' | 'srcDoc' | 'src'> {
  /** As `useToolPanels().html` or the event `ui.html` has it. */
  shown: HtmlData;
}

/** HTML of the assistant's in a frame that reaches neither the page nor the network. Unstyled: give it a height. */
export function ToolFrame({ shown, ...rest }: ToolFrameProps) {
  const { id, html, title } = shown;
  const srcDoc = useMemo(() => sandboxed(html), [html]);
  return createElement('iframe', {
    title: title || 'Shown by the assistant',
    ...rest,
    // A new frame for each: none of them goes on from where another was.
    key: `${id} ${html}`,
    // Without a single permission; the document's own policy comes on top.
    sandbox: '',
    referrerPolicy: 'no-referrer',
    srcDoc,
  });
}
