from bakery import views
from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("", views.orders),
    path("admin/", admin.site.urls),
]
