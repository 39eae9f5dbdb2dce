/** What a fake server answers beside its session: assistants, notes, the roll-out. */

import type { AssistantChoice, NoteBody, ProviderAnswer } from '../wire.ts';

export class FakeBeside {
  /** Who may be talked with; the usual one first. */
  assistants: AssistantChoice[] = [{ name: 'cards', title: 'Multiplication cards', enabled: true }];
  /** The visitor's notes, the latest changed first. */
  notes: NoteBody[] = [];
  provider: ProviderAnswer['provider'] = 'greenroom';

  /** A note with all that one has. */
  static note(id: string, title: string, text = ''): NoteBody {
    const at = '2026-01-01T12:00:00.000Z';
    return { id, title, text, createdAt: at, updatedAt: at };
  }

  /** The answer to a command of this room, or null. */
  answer(command: string, asked: string | null): [status: number, body?: object] | null {
    if (command === 'GET /api/voice/assistants') return [200, { assistants: this.assistants }];
    if (command === 'GET /api/voice/notes') return [200, { notes: this.notes }];
    if (command === 'GET /api/voice/provider')
      return [200, { assistant: asked ?? 'cards', provider: this.provider, reason: 'percentage' }];
    const [, id] = /^DELETE \/api\/voice\/notes\/(.+)$/.exec(command) ?? [];
    if (id === undefined) return null;
    this.notes = this.notes.filter((note) => note.id !== decodeURIComponent(id));
    return [204];
  }
}
