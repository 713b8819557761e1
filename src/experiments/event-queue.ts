/** A queue that is filled by one side and read by the other as an async iterable; for one reader. */
export interface EventQueue<T> {
  push(item: T): void;
  /** No more items: the reader ends after those that wait. */
  end(): void;
  readonly items: AsyncIterable<T>;
}

/** An empty queue. A reader that leaves early ends the queue: what is pushed later is dropped. */
export function eventQueue<T>(): EventQueue<T> {
  let waiting: T[] = [];
  let ended = false;
  let wake: (() => void) | null = null;
  const signal = (): void => {
    wake?.();
    wake = null;
  };
  async function* read(): AsyncGenerator<T, void> {
    try {
      for (;;) {
        const batch = waiting;
        waiting = [];
        yield* batch;
        if (waiting.length > 0) continue;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      ended = true;
      waiting = [];
    }
  }
  return {
    push(item) {
      if (ended) return;
      waiting.push(item);
      signal();
    },
    end() {
      ended = true;
      signal();
    },
    items: read(),
  };
}
