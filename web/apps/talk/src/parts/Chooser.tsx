/** Choosing whom to talk with, where there are several. */

import { useAssistants } from '@greenroom/client/react/panels';
import { useEffect } from 'react';

interface ChooserProps {
  /** Who was chosen; null: the server's own. */
  chosen: string | null;
  onChoose: (assistant: string | null) => void;
}

export function Chooser({ chosen, onChoose }: ChooserProps) {
  const assistants = useAssistants();
  const isNobody = chosen !== null && assistants.length > 0 && !assistants.some(({ name }) => name === chosen);
  useEffect(() => {
    if (isNobody) onChoose(null); // The address named somebody who is not here (any more).
  }, [isNobody, onChoose]);
  if (assistants.length < 2) return null;
  return (
    <label className="chooser">
      <span>Talk with</span>
      <select
        data-testid="chooser"
        value={chosen ?? assistants[0]?.name}
        onChange={({ currentTarget }) => onChoose(currentTarget.value)}
      >
        {assistants.map(({ name, title, enabled }) => (
          <option key={name} value={name} disabled={!enabled}>
            {enabled ? title : `${title} (not here now)`}
          </option>
        ))}
      </select>
    </label>
  );
}
