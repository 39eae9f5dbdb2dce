/** The few methods of Node's EventEmitter that a page uses, with the events' own types. */

type Listener = (...args: never[]) => void;

/** `Events` maps a name to what its listeners are called with. */
export class Emitter<Events extends { [Name in keyof Events]: Listener }> {
  readonly #listeners = new Map<keyof Events, { listener: Listener; isOnce: boolean }[]>();

  on<Name extends keyof Events>(event: Name, listener: Events[Name]): this {
    return this.#add(event, listener, false);
  }

  addListener<Name extends keyof Events>(event: Name, listener: Events[Name]): this {
    return this.#add(event, listener, false);
  }

  once<Name extends keyof Events>(event: Name, listener: Events[Name]): this {
    return this.#add(event, listener, true);
  }

  off<Name extends keyof Events>(event: Name, listener: Events[Name]): this {
    const listeners = this.#listeners.get(event) ?? [];
    const last = listeners.findLastIndex((each) => each.listener === listener);
    if (last >= 0) this.#listeners.set(event, listeners.toSpliced(last, 1));
    this.listenersChanged();
    return this;
  }

  removeListener<Name extends keyof Events>(event: Name, listener: Events[Name]): this {
    return this.off(event, listener);
  }

  removeAllListeners(event?: keyof Events): this {
    if (event === undefined) this.#listeners.clear();
    else this.#listeners.delete(event);
    this.listenersChanged();
    return this;
  }

  listenerCount(event: keyof Events): number {
    return this.#listeners.get(event)?.length ?? 0;
  }

  /** Calls each listener; one that throws is reported and keeps nobody else from being told. */
  emit<Name extends keyof Events>(event: Name, ...args: Parameters<Events[Name]>): boolean {
    const listeners = this.#listeners.get(event) ?? [];
    for (const { listener, isOnce } of listeners) {
      if (isOnce) this.off(event, listener as Events[Name]);
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    return listeners.length > 0;
  }

  /** Somebody listens now, or no more; for what costs something to be told. */
  protected listenersChanged(): void {
    // Nothing costs anything here.
  }

  #add(event: keyof Events, listener: Listener, isOnce: boolean): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), { listener, isOnce }]);
    this.listenersChanged();
    return this;
  }
}
