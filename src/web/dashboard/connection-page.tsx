import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { OpenConnection } from "../../protocol/open-connection.ts";
import { askServer, Refusal } from "../shared/ask-server.ts";
import { bytes, duration } from "../shared/format.ts";
import { Confirm } from "./confirm.tsx";
import { ageOf, DOORS, nameOf } from "./connections.tsx";
import { FactList, PlaceHead } from "./place-head.tsx";
import { linkTo } from "./place.ts";

/** Milliseconds between two looks. */
const LOOK_EVERY = 2000;

/** One connection: who it is, what it reads and how far it has got, and a way to end it. */
export function ConnectionPage({ id }: { readonly id: string }) {
  const { found, state } = useConnection(id);
  const [isEnded, setEnded] = useState(false);
  const end = async (): Promise<void> => {
    await askServer(`connections/${id}`, { method: "DELETE" });
    setEnded(true);
  };
  const said = isEnded
    ? "It was ended. Its client may come back as another connection."
    : { "": "Looking …", open: "Open now.", gone: "It is not open any more, or belongs to another node." }[state];
  return (
    <>
      <PlaceHead title={found === undefined ? "Connection" : nameOf(found)} kind="Connection">
        <p role="status" id="place-state">
          {said}
        </p>
      </PlaceHead>
      {found !== undefined && (
        <section class="panel" aria-label="About this connection">
          <FactList facts={factsOf(found)} />
          {!isEnded && state === "open" && (
            <p>
              <Confirm
                action="Disconnect"
                question={`Disconnect ${nameOf(found)}?`}
                text="Its client will probably come back at once and go on where it was. To keep it out, revoke its credential."
                run={end}
              />
            </p>
          )}
        </section>
      )}
    </>
  );
}

function factsOf(found: OpenConnection): readonly (readonly [string, ComponentChildren])[] {
  const { id, door, subject, address, client, channels, watches, since, deliveredBytes, pendingBytes } = found;
  return [
    ["Subject", subject],
    ["Client", client ?? "–"],
    ["Door", DOORS[door] + (watches ? ", only watches" : "")],
    ["Address", address === "" ? "this machine" : address],
    ["Channels", channels.length === 0 ? "–" : channels.map((name) => <Channel key={name} name={name} />)],
    ["Open for", <span title={new Date(since).toLocaleString()}>{duration(ageOf(found))}</span>],
    ["Delivered", <span id="connection-taken">{bytes(deliveredBytes ?? NaN)}</span>],
    ["Pending", <span id="connection-pending">{bytes(pendingBytes ?? NaN)}</span>],
    ["Id", <code>{id}</code>],
  ];
}

function Channel({ name }: { readonly name: string }) {
  const isOne = !name.includes("*") && !name.startsWith("hub.");
  return <>{isOne ? <a href={linkTo("channel", name)}>{name}</a> : name} </>;
}

/** What the server says of a connection; what it said last if that is gone. */
function useConnection(id: string): {
  readonly found: OpenConnection | undefined;
  readonly state: "" | "open" | "gone";
} {
  const [seen, see] = useState<{ readonly found?: OpenConnection; readonly state: "" | "open" | "gone" }>({
    state: "",
  });
  useEffect(() => {
    const end = new AbortController();
    const { signal } = end;
    see({ state: "" });
    const look = async (): Promise<void> => {
      if (document.hidden) return;
      try {
        const found = (await askServer(`connections/${id}`, { signal, cache: "no-store" })) as OpenConnection;
        see({ found, state: "open" });
      } catch (error) {
        if (error instanceof Refusal && error.final) see((last) => ({ ...last, state: "gone" }));
      }
    };
    void look();
    const timer = setInterval(() => void look(), LOOK_EVERY);
    return () => {
      end.abort();
      clearInterval(timer);
    };
  }, [id]);
  return { found: seen.found, state: seen.state };
}
