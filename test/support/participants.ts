import type { Participant, ParticipantList } from "../../src/protocol/participant.ts";
import type { TestServer } from "./server.ts";
import { until } from "./until.ts";

/** Who is here, as `GET /participants` says. */
export async function listOf(
  server: TestServer,
  query = "",
  headers: Readonly<Record<string, string>> = {},
): Promise<ParticipantList> {
  const answer = await server.request(`/participants${query}`, { headers });
  if (answer.status !== 200) throw new Error(`not listed: ${answer.status} ${answer.text}`);
  return answer.json() as ParticipantList;
}

/** Resolves with the participant of this name once it is as wanted. */
export async function participant(
  server: TestServer,
  name: string | null,
  isWanted: (found: Participant) => boolean = () => true,
): Promise<Participant> {
  let found: Participant | undefined;
  await until(`${name} is as wanted`, async () => {
    found = (await listOf(server)).participants.find((one) => one.name === name);
    return found !== undefined && isWanted(found);
  });
  return found as Participant;
}

/** Resolves once no one of this name is listed. */
export async function isGone(server: TestServer, name: string): Promise<void> {
  await until(`${name} is gone`, async () =>
    (await listOf(server)).participants.every((listed) => listed.name !== name),
  );
}
