import { useId, useRef, useState } from "preact/hooks";

interface ConfirmProps {
  /** What the button says, and that which does it. */
  readonly action: string;
  readonly question: string;
  /** What comes of it. */
  readonly text: string;
  /** To be typed before it can be done; without it, one press does. */
  readonly word?: string;
  /** Rejects with a sentence for the person. */
  readonly run: () => Promise<void>;
}

/** A button for what cannot be undone. It asks first, and no Enter says yes: another button has to be pressed. */
export function Confirm({ action, question, text, word = "", run }: ConfirmProps) {
  const title = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, type] = useState("");
  const [failure, setFailure] = useState("");
  const [isBusy, setBusy] = useState(false);
  const open = (): void => {
    type("");
    setFailure("");
    dialog.current?.showModal();
  };
  const act = async (): Promise<void> => {
    setBusy(true);
    try {
      await run();
      dialog.current?.close();
    } catch (error) {
      setFailure((error as Error).message);
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class="danger" onClick={open}>
        {action} …
      </button>
      <dialog ref={dialog} class="panel confirm" aria-labelledby={title}>
        <h2 id={title}>{question}</h2>
        <p>{text}</p>
        {word !== "" && (
          <label>
            <span>
              Type <b>{word}</b>
            </span>
            <input
              value={typed}
              spellcheck={false}
              autocapitalize="off"
              autocomplete="off"
              onInput={({ currentTarget }) => type(currentTarget.value)}
            />
          </label>
        )}
        <div class="choices">
          <button type="button" autofocus={word === ""} onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="button" class="danger" disabled={typed !== word || isBusy} onClick={() => void act()}>
            {action}
          </button>
        </div>
        <p class="bad" role="alert">
          {failure}
        </p>
      </dialog>
    </>
  );
}
