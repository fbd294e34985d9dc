// The order service: it knows RabbitMQ alone, and nothing of the hub.
import { connect } from "amqplib";
import { randomUUID } from "node:crypto";

interface Request {
  readonly name: string;
  readonly item: string;
  readonly price: number;
}

const broker = await connect(process.env["AMQP_URL"] ?? "amqp://localhost");
const channel = await broker.createConfirmChannel();
await channel.assertExchange("hub", "topic", { durable: true });
await channel.assertExchange("shop", "topic", { durable: true });
await channel.assertQueue("order-requests", { durable: true });
await channel.bindQueue("order-requests", "hub", "requests.order");

const options = { contentType: "application/json", persistent: true };
let orders = 0;
await channel.prefetch(1);
await channel.consume("order-requests", (message) => {
  if (message === null) return;
  const request = JSON.parse(message.content.toString()) as Request;
  const order = { order: ++orders, ...request };
  const body = Buffer.from(JSON.stringify(order));
  channel.publish("shop", "orders.placed", body, { ...options, messageId: randomUUID() });
  // The request is done once the broker has its result.
  void channel.waitForConfirms().then(() => channel.ack(message));
});
console.log("order service: ready");
