"""The sections of settings, by what they are about; `lakesmith.config.settings` puts them together."""
