/** A panel beside the conversation: its heading, a button that closes it, and what is in it. */

import type { Panel as Name } from '@greenroom/client';
import type { ReactNode } from 'react';
import { CrossIcon } from './icons.tsx';

interface PanelProps {
  name: Name;
  heading: string;
  onClose: () => void;
  children: ReactNode;
}

export function Panel({ name, heading, onClose, children }: PanelProps) {
  return (
    <section className={`panel ${name}`} data-testid={`panel-${name}`} aria-label={heading}>
      <header>
        <h2 className="script-title">{heading}</h2>
        <button type="button" className="close" aria-label={`Close: ${heading}`} onClick={onClose}>
          <CrossIcon />
        </button>
      </header>
      {children}
    </section>
  );
}
