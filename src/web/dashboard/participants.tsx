import type { Participant, ParticipantList } from "../../protocol/participant.ts";
import { compact } from "../shared/format.ts";
import { readable } from "../shared/names.ts";
import { doingText } from "../shared/participants.ts";
import { fullTime } from "../shared/times.ts";

/** The people, agents and services that are connected to any node, if there are any. */
export function Participants({ list }: { readonly list: ParticipantList | undefined }) {
  if (list === undefined || list.participants.length === 0) return null;
  const { participants, total, more } = list;
  const waiting = participants.filter((one) => one.waiting?.for === "answer").length;
  const answers = waiting === 0 ? "" : `; ${waiting} ${waiting === 1 ? "waits" : "wait"} for an answer`;
  return (
    <section class="panel nodes participants" aria-labelledby="participants-title">
      <header>
        <h2 id="participants-title">Who is here</h2>
        <p id="participants-count" class="count">
          {compact(total)}
          {answers}
          {more && "; not all are shown"}
        </p>
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="People, agents and services">
        <table>
          <thead>
            <tr>
              {["Name", "Kind", "State", "Reads"].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody id="participant-rows">
            {participants.map((one) => (
              <Row key={`${one.kind} ${one.verified} ${one.name} ${one.channels.join()}`} participant={one} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ participant }: { readonly participant: Participant }) {
  const { name, kind, verified, since, channels, moreChannels } = participant;
  const reads = channels.join(", ") + (moreChannels > 0 ? ` and ${moreChannels} more` : "");
  return (
    <tr>
      <th scope="row">
        <bdi>{name === null ? "no name" : readable(name)}</bdi>
        {verified && <span title="The name of its credential"> ✓</span>}
      </th>
      <td>{kind}</td>
      <td title={`Since ${fullTime(new Date(since))}`}>{doingText(participant, Date.now())}</td>
      <td title={reads}>{reads === "" ? "–" : reads}</td>
    </tr>
  );
}
