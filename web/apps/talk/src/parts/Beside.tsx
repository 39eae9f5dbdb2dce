/** Beside the stage: what is open of notes, the assistant's HTML, and the script; and the way to open it again. */

import type { Panel as Name } from '@greenroom/client';
import { useVoiceSession } from '@greenroom/client/react';
import { useToolPanels } from '@greenroom/client/react/panels';
import { Compose } from './Compose.tsx';
import { Notes } from './Notes.tsx';
import { Panel } from './Panel.tsx';
import { Shown } from './Shown.tsx';
import { Transcript } from './Transcript.tsx';

const NAMES: Record<Name, string> = { notes: 'Notes', html: 'Page', cards: 'Card', messages: 'Script' };

/** What has something in it, and whether it is open. */
export function usePanels() {
  const { open, notes, html, card, set } = useToolPanels();
  const { messages, sessionStatus } = useVoiceSession();
  const filled: Record<Name, boolean> = {
    notes: notes !== null || open.notes,
    html: html !== null,
    cards: card !== null,
    messages: messages.length > 0 || sessionStatus === 'active',
  };
  const shows = (name: Name) => filled[name] && open[name];
  return { filled, shows, html, card, set, messages, isActive: sessionStatus === 'active' };
}

export type PanelsInUse = ReturnType<typeof usePanels>;

export function isBesideShown({ shows }: PanelsInUse): boolean {
  return shows('notes') || shows('html') || shows('messages');
}

export function Beside({ panels, who }: { panels: PanelsInUse; who: string }) {
  const { shows, html, set, messages, isActive } = panels;
  if (!isBesideShown(panels)) return null;
  return (
    <aside className="beside" aria-label="Beside the conversation">
      {shows('html') && html ? (
        <Panel name="html" heading={html.title || 'From the assistant'} onClose={() => set('html', false)}>
          <Shown shown={html} />
        </Panel>
      ) : null}
      {shows('notes') ? (
        <Panel name="notes" heading="Notes" onClose={() => set('notes', false)}>
          <Notes />
        </Panel>
      ) : null}
      {shows('messages') ? (
        <div className="script">
          <Transcript messages={messages} who={who} />
          {isActive ? <Compose /> : null}
        </div>
      ) : null}
    </aside>
  );
}

/** Opens and closes what has something in it. There is nothing here until the assistant fills a panel. */
export function PanelSwitches({ panels }: { panels: PanelsInUse }) {
  const { filled, shows, set } = panels;
  const names = (Object.keys(NAMES) as Name[]).filter((name) => filled[name]);
  if (names.every((name) => name === 'messages')) return null;
  return (
    <nav className="switches" aria-label="Panels">
      {names.map((name) => (
        <button key={name} type="button" className="switch" aria-pressed={shows(name)} onClick={() => set(name, !shows(name))}>
          {NAMES[name]}
        </button>
      ))}
    </nav>
  );
}
