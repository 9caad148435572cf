output "webserver_url" {
  description = "Airflow's web pages."
  value       = aws_mwaa_environment.this.webserver_url
}
