// The analytics service: it knows Kafka alone, and nothing of the hub.
import { Consumer, MessagesStreamModes, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";

const common = { bootstrapBrokers: [process.env["KAFKA_BROKER"] ?? "localhost:9092"], clientId: "analytics" };
const consumer = new Consumer({
  ...common,
  groupId: "analytics",
  deserializers: stringDeserializers,
  maxWaitTime: 100,
});
const producer = new Producer({ ...common, serializers: stringSerializers });
const events = await consumer.consume({
  topics: ["shop.events"],
  mode: MessagesStreamModes.EARLIEST,
  autocommit: true,
});
console.log("analytics service: ready");

const totals = { users: 0, orders: 0, revenue: 0 };
for await (const { value } of events) {
  const event = JSON.parse(value) as { readonly price?: number };
  if (event.price === undefined) totals.users++;
  else {
    totals.orders++;
    totals.revenue += event.price;
  }
  await producer.send({ messages: [{ topic: "shop.totals", key: "totals", value: JSON.stringify(totals) }] });
}
