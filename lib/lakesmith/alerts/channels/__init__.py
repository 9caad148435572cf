"""Where alerts go: one module a channel, all behind `lakesmith.alerts.channels.channel.Channel`."""
